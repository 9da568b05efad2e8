"""Products of many rows with one matrix are one product, whatever the order in which the rows lie."""

from __future__ import annotations

import torch
from torch import Tensor, fx, nn

from fgcompile.compiler.backends.aotinductor.flat_products import flat_products
from fgcompile.compiler.ir.graphs import copy_graph
from fgcompile.compiler.ir.runner import run_passes
from fgcompile.compiler.pipeline import fuse

aten = torch.ops.aten


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(12, 3, batch_first=True)
        self.head = nn.Linear(12, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head((x + self.attention(x, x, x, need_weights=False)[0]).mean(1))


def products(graph_module: fx.GraphModule) -> list[fx.Node]:
    """Of values of three axes or more with one matrix."""
    found = graph_module.graph.find_nodes(op="call_function", target=aten.matmul.default)
    return [node for node in found if node.args[1].meta["val"].dim() == 2 and node.meta["val"].dim() > 2]


def test_what_is_not_in_order_is_one_product() -> None:
    torch.manual_seed(0)
    model, x = Attention().eval().double(), torch.randn(2, 7, 12, dtype=torch.float64)
    original = fuse(model, x, format="pt2", rules="taylor").graph_module
    flat = copy_graph(original)
    assert products(original)
    assert run_passes(flat, [flat_products])
    assert not products(flat)
    for samples in (1, 2, 5):
        inputs = (torch.randn(samples, 7, 12, dtype=torch.float64), torch.full((samples,), -1))
        for found, expected in zip(flat(*inputs), original(*inputs), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-13)
    assert not run_passes(flat, [flat_products])


def test_of_two_dynamic_sizes_it_stays() -> None:
    torch.manual_seed(0)
    model, x = Attention().eval().double(), torch.randn(2, 7, 12, dtype=torch.float64)
    graph_module = fuse(model, x, format="pt2", rules="taylor", dynamic_sizes=True).graph_module
    before = len(products(graph_module))
    run_passes(graph_module, [flat_products])
    assert len(products(graph_module)) == before
