"""A product of one row that is read as a vector is no longer reshaped, of which Inductor would ask what it has not."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fgcompile.compiler.backends.aotinductor.single_rows import RESHAPES, single_rows
from fgcompile.compiler.ir.graphs import copy_graph
from fgcompile.compiler.ir.runner import run_passes
from fgcompile.compiler.pipeline import fuse


class OneByOne(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.head = nn.Linear(6, 5), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.head(self.hidden(sample).tanh()) for sample in x])


def test_a_product_of_one_row_is_read_by_its_row() -> None:
    torch.manual_seed(0)
    model, x = OneByOne().eval().double(), torch.randn(2, 6, dtype=torch.float64)
    original = fuse(model, x, format="pt2", batch=1).graph_module
    rewritten = copy_graph(original)
    assert run_passes(rewritten, [single_rows])
    vectors = [node for node in rewritten.graph.nodes if node.target in RESHAPES and node.meta["val"].dim() == 1]
    assert not any("mm" in str(node.args[0].target) for node in vectors)
    for sample in x:
        inputs = (sample[None], torch.tensor([1]))
        for found, expected in zip(rewritten(*inputs), original(*inputs), strict=True):
            torch.testing.assert_close(found, expected, rtol=0, atol=0)
    assert not run_passes(rewritten, [single_rows])
