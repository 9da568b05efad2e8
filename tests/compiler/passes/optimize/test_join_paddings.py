"""Parts that are padded to lie side by side, and added, are put side by side."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from fgcompile.compiler.passes.optimize.join_paddings import join_paddings
from tests.compiler.passes.texts import assert_rewrites, operators, run_alone, traced


def test_before_and_after() -> None:
    def function(x: Tensor, y: Tensor) -> Tensor:
        return F.pad(y, (2, 0)) + F.pad(x, (0, 1))

    graph_module = traced(function, torch.ones(3, 2), torch.ones(3, 1))
    before = """
        x_1: float32[3, 2]
        y_1: float32[3, 1]
        constant_pad_nd: float32[3, 3] = aten.constant_pad_nd.default(y_1, [2, 0], 0.0)
        constant_pad_nd_1: float32[3, 3] = aten.constant_pad_nd.default(x_1, [0, 1], 0.0)
        add: float32[3, 3] = aten.add.Tensor(constant_pad_nd, constant_pad_nd_1)
        return add
        """
    after = """
        x_1: float32[3, 2]
        y_1: float32[3, 1]
        add: float32[3, 3] = aten.cat.default([x_1, y_1], 1)
        return add
        """
    assert_rewrites(join_paddings, graph_module, before, after)


def three(x: Tensor) -> Tensor:
    """As differentiating a selection of each of three leaves it, the second first."""
    a, b, c = x[None], x.sin()[None], x.cos()[None]
    return F.pad(b, (0, 0, 0, 0, 1, 1)) + F.pad(c, (0, 0, 0, 0, 2, 0)) + F.pad(a, (0, 0, 0, 0, 0, 2))


def two_by_two(x: Tensor) -> Tensor:
    """A sum of sums."""
    a, b = F.pad(x, (0, 9)), F.pad(x.sin(), (3, 6))
    return (a + b) + (F.pad(x, (9, 0)) + F.pad(x.cos(), (6, 3)))


@pytest.mark.parametrize("function", [three, two_by_two])
def test_parts_in_any_order_are_joined(function: Callable[[Tensor], Tensor]) -> None:
    graph_module = traced(function, torch.ones(2, 3))
    run_alone(join_paddings, graph_module)
    assert "cat" in operators(graph_module)
    assert not {"constant_pad_nd", "add"} & set(operators(graph_module))
    x = torch.randn(2, 3)
    assert torch.equal(graph_module(x), function(x))


def gap(x: Tensor) -> Tensor:
    return F.pad(x, (0, 4)) + F.pad(x, (4, 0))


def overlap(x: Tensor) -> Tensor:
    return F.pad(x, (0, 2)) + F.pad(x, (2, 0))


def ones(x: Tensor) -> Tensor:
    return F.pad(x, (0, 3), value=1.0) + F.pad(x, (3, 0))


def two_axes(x: Tensor) -> Tensor:
    return F.pad(x, (0, 3, 0, 0)) + F.pad(x, (3, 0, 0, 0)) + F.pad(x[:, :1], (0, 5, 0, 0))


def crop(x: Tensor) -> Tensor:
    return F.pad(x, (-1, 2)) + F.pad(x[:, 1:], (2, 0))


def more(x: Tensor) -> Tensor:
    return F.pad(x, (0, 3)) + F.pad(x, (3, 0)) + x.repeat(1, 2)


def weighted(x: Tensor) -> Tensor:
    return torch.add(F.pad(x, (0, 3)), F.pad(x, (3, 0)), alpha=2)


def repeated(x: Tensor) -> Tensor:
    return F.pad(x, (0, 3)) + F.pad(x[:1], (3, 0))


@pytest.mark.parametrize("function", [gap, overlap, ones, two_axes, crop, more, weighted, repeated])
def test_other_sums_stay(function: Callable[[Tensor], Tensor]) -> None:
    graph_module = traced(function, torch.ones(2, 3))
    run_alone(join_paddings, graph_module)
    assert "cat" not in operators(graph_module)
    x = torch.randn(2, 3)
    assert torch.equal(graph_module(x), function(x))


def test_a_sum_that_something_else_reads_is_kept_beside() -> None:
    def function(x: Tensor) -> tuple[Tensor, Tensor]:
        part = F.pad(x, (0, 6)) + F.pad(x, (3, 3))
        return part, part + F.pad(x, (6, 0))

    graph_module = traced(function, torch.ones(2, 3))
    run_alone(join_paddings, graph_module)
    x = torch.randn(2, 3)
    assert all(torch.equal(*pair) for pair in zip(graph_module(x), function(x), strict=True))
