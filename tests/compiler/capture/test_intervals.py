"""What is known of the values of integers, against all values that a function has over its inputs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim

from fgcompile.compiler.capture.intervals import Interval, find_intervals

INFINITE = float("inf")

CASES: dict[str, tuple[Callable[[Tensor], Tensor], float, float]] = {
    "as it is": (lambda i: i, -20, 20),
    "remainder": (lambda i: i % 10, 0, 9),
    "quotient": (lambda i: i // 3, -7, 6),
    "truncated quotient": (lambda i: torch.div(i, 3, rounding_mode="trunc"), -6, 6),
    "clamp": (lambda i: i.clamp(0, 7), 0, 7),
    "clamp from below": (lambda i: i.clamp(min=2), 2, 20),
    "where": (lambda i: torch.where(i > 4, 3, i), -20, 20),
    "filled": (lambda i: i.clamp(0, 5).masked_fill(i < 0, 8), 0, 8),
    "from the other end": (lambda i: 4 - i, -16, 24),
    "twice and one": (lambda i: i * 2 + 1, -39, 41),
    "difference": (lambda i: i - i.flip(1), -40, 40),
    "negative": (lambda i: -i.clamp(0, 3), -3, 0),
    "absolute": (lambda i: i.abs(), 0, 20),
    "square": (lambda i: i * i, -400, 400),
    "comparison": (lambda i: (i == 3).long() * 6, 0, 6),
    "positions of a mask": (lambda i: (i > 0).long().cumsum(1) - 1, -1, 4),
    "positions behind padding": (lambda i: (i.ne(1).int().cumsum(1) * i.ne(1).int()).long() + 1, 1, 6),
    "count": (lambda i: (i > 0).sum(1), 0, 5),
    "maximum": (lambda i: i.argmax(1), 0, 4),
    "order": (lambda i: i.argsort(1), 0, 4),
    "place of the largest": (lambda i: i.max(1)[1], 0, 4),
    "the largest": (lambda i: i.clamp(0, 5).max(1)[0], 0, 5),
    "best": (lambda i: i.topk(2)[1], 0, 4),
    "joined": (lambda i: torch.cat([i % 3, i.clamp(2, 6)], 1), 0, 6),
    "part": (lambda i: (i % 6)[:, 1:].mT.unsqueeze(0), 0, 5),
    "through a float": (lambda i: (i.float() * 0.5).long(), -10, 10),
    "of a sigmoid": (lambda i: (i.float().sigmoid() * 4.5).long(), 0, 4),
    "rounded": (lambda i: (i.float().tanh() * 2.5).round().long(), -3, 3),
    "small type": (lambda i: (i * 10).to(torch.int8), -128, 127),
    "minimum of a constant": (lambda i: torch.minimum(i, torch.tensor([3, 4, 5, 2, 1])), -20, 5),
    "unknown": (lambda i: i.bitwise_xor(3), -INFINITE, INFINITE),
}


class Function(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, i: Tensor) -> Tensor:
        return self.function(i)


@pytest.mark.parametrize("name", CASES)
def test_all_values_lie_between(name: str) -> None:
    function, low, high = CASES[name]
    given = torch.randint(-20, 21, (500, 5), generator=torch.Generator().manual_seed(0))
    exported = torch.export.export(Function(function), (given,), dynamic_shapes=({0: Dim("n")},))
    (result,) = exported.graph.output_node().args[0]
    found = find_intervals(exported, exported.graph, {"i": Interval(-20, 20)})[result]
    values = function(given)
    assert found.low <= values.min() <= values.max() <= found.high
    assert (found.low, found.high) == (low, high)


def test_places_along_an_axis_of_dynamic_size_lie_below_it() -> None:
    function, given = Function(lambda y: y.argmax(1) * (y[:, 0] > 0)), torch.randn(3, 6)
    exported = torch.export.export(function, (given,), dynamic_shapes=({0: Dim("n"), 1: Dim("l")},))
    (result,) = exported.graph.output_node().args[0]
    size = next(iter(exported.graph.find_nodes(op="placeholder"))).meta["val"].shape[1]
    found = find_intervals(exported, exported.graph, {})[result]
    assert found.lies_in(0, size)
    assert not found.lies_in(0, 5)


def test_what_is_written_in_place_may_be_anything() -> None:
    def written(i: Tensor) -> Tensor:
        y = i.float().sigmoid()
        y.mul_(100)
        return y.long()

    exported = torch.export.export(Function(written), (torch.ones(2, 5, dtype=torch.int64),))
    (result,) = exported.graph.output_node().args[0]
    assert find_intervals(exported, exported.graph, {})[result] == Interval()
