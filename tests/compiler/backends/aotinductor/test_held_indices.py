"""Indices out of range raise in the graph itself, of tables of fixed and of dynamic sizes; what is in range is read."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from fgcompile.compiler.backends.aotinductor.held_indices import MESSAGE, held_indices
from fgcompile.compiler.ir.graphs import copy_graph
from fgcompile.compiler.ir.runner import run_passes
from fgcompile.compiler.pipeline import fuse


class Reads(nn.Module):
    """Logits (N, 3) of x (N, L, 4), read along L, or in a table of 5 rows, at twice what integers (N, L) say."""

    def __init__(self, along: bool) -> None:
        super().__init__()
        self.along = along
        self.table, self.first, self.last = nn.Embedding(5, 4), nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x: Tensor, ids: Tensor) -> Tensor:
        y = self.first(x).tanh()
        place = ids * 2
        read = (ids + 1).gather(1, place)[..., None].to(x.dtype) if self.along else self.table(place)
        return self.last(y * read).mean(1)


@pytest.mark.parametrize("along", [False, True], ids=["a table", "a dynamic axis"])
def test_indices_out_of_range_raise(along: bool) -> None:
    torch.manual_seed(0)
    model = Reads(along).double().eval()
    examples = (torch.randn(2, 6, 4, dtype=torch.float64), torch.ones(2, 6, dtype=torch.int64))
    original = fuse(model, examples, target=1, format="pt2", dynamic_sizes=along).graph_module
    held = copy_graph(original)
    assert run_passes(held, [held_indices])
    assert not run_passes(held, [held_indices])
    for length in (6, 9) if along else (6,):
        x = torch.randn(3, length, 4, dtype=torch.float64)
        for largest in (0, 1, 2):
            ids = torch.full((3, length), largest)
            for found, expected in zip(held(x, ids), original(x, ids), strict=True):
                torch.testing.assert_close(found, expected, rtol=0, atol=0)
        for wrong in (length // 2 + 1 if along else 3, -1, 2**40):
            ids = torch.zeros(3, length, dtype=torch.int64)
            ids[-1, -1] = wrong
            with pytest.raises(RuntimeError, match=MESSAGE):
                held(x, ids)


def test_what_reads_no_table_is_left() -> None:
    model = nn.Sequential(nn.Linear(4, 3)).eval()
    assert not run_passes(copy_graph(fuse(model, torch.randn(2, 4), format="pt2").graph_module), [held_indices])
