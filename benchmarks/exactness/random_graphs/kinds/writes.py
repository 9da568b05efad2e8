"""Writes into parts of a tensor: strided, interleaved, along diagonals, at integers, by constant masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks.exactness.random_graphs.description import Choose
from benchmarks.exactness.random_graphs.kinds.drawn import Drawn, Piece
from benchmarks.exactness.random_graphs.kinds.trunk import Grid, around, draw_grid

Index = tuple[Any, ...]


def _assigned(y: Tensor, at: Index) -> Tensor:
    y[at] = torch.sin(y[at] * 1.0)  # a copy, or autograd would miss what the write replaces
    return y


def _scaled(y: Tensor, at: Index) -> Tensor:
    y[at] *= 2.0
    return y


def _added(y: Tensor, at: Index) -> Tensor:
    y[at] += y[at] * 0.5 + 1.0
    return y


def _filled(y: Tensor, at: Index) -> Tensor:
    y[at] = 0.5
    return y


def _copied(y: Tensor, at: Index) -> Tensor:
    y[at].copy_(torch.tanh(y[at]))
    return y


def _activated(y: Tensor, at: Index) -> Tensor:
    y[at].mul_(0.5).add_(1.0).sigmoid_()
    return y


def _into_empty(y: Tensor, at: Index) -> Tensor:
    turned = torch.zeros_like(y)
    turned[at] = -y[at]
    return y * 0.3 + turned


def _twice(y: Tensor, at: Index) -> Tensor:
    y[at] = y[at] * 0.5
    y[at] -= torch.cos(y[at] * 1.0)
    return y


VIEWS: dict[str, Callable[[Tensor, Index], Tensor]] = {
    "assigned": _assigned,
    "scaled": _scaled,
    "added": _added,
    "filled": _filled,
    "copied": _copied,
    "activated": _activated,
    "into zeros": _into_empty,
    "twice": _twice,
}
COPIES = ("assigned", "scaled", "added", "filled", "into zeros", "twice")
"""Those that write through an index that copies when it is read."""


def _interleaved(y: Tensor, axis: int) -> Tensor:
    """Rotary embeddings as many write them."""
    half = y.shape[axis] // 2 * 2
    even, odd = ((slice(None),) * axis + (slice(start, half, 2),) for start in (0, 1))
    turned = torch.empty_like(y).copy_(y)
    turned[even], turned[odd] = -y[odd], y[even]
    return y * 0.3 + turned * 0.7


def _diagonal(y: Tensor, offset: int) -> Tensor:
    y.diagonal(offset, -2, -1).mul_(3.0)
    return y


def _diagonal_assigned(y: Tensor, offset: int) -> Tensor:
    part = y.diagonal(offset, 1, 2)
    part[...] = torch.sin(part * 1.0)
    return y


def _draw_index(choose: Choose, size: int) -> tuple[Any, bool]:
    """An index along an axis, and whether it is a view."""
    way = choose(["step", "negative start", "slice", "select", "integers", "mask"])
    if way == "step":
        return slice(choose([0, 1]), choose([None, size - 1]), choose([2, 3])), True
    if way == "negative start":
        return slice(-choose([2, 3]), None, choose([1, 2])), True
    if way == "slice":
        return slice(choose([0, 1]), choose([2, 3])), True
    if way == "select":
        return choose([0, -1, 1]), True
    if way == "integers":
        return choose([[0, 2], [1], [2, 0, 3]]), False
    return torch.tensor([choose([True, False]) for _ in range(size - 1)] + [True]), False


def _indexed(choose: Choose, grid: Grid) -> tuple[str, Piece]:
    axes = choose([(axis,) for axis in range(1, len(grid.shape) + 1)] + [(1, 2)])
    at: list[Any] = [slice(None)] * axes[0]
    views = True
    for axis in axes:
        index, view = _draw_index(choose, grid.shape[axis - 1])
        if not view and not views:
            index, view = slice(0, None, 2), True  # two lists of different lengths do not pair
        at.append(index)
        views = views and view
    name = choose(list(VIEWS if views else COPIES))
    index_ = tuple(at)
    return f"{name} at {index_}", Piece(lambda x: VIEWS[name](x.clone(), index_), pointwise=axes == (grid.channels,))


def _special(choose: Choose, grid: Grid) -> tuple[str, Piece]:
    way = choose(["interleaved", "diagonal", "diagonal assigned", "slice_scatter", "index_copy", "index_add", "masked"])
    axis = choose(range(1, len(grid.shape) + 1))
    offset = choose([0, 1, -1])
    rows = torch.tensor(choose([[0, 2], [3, 1]]))
    at: tuple[Any, ...] = (slice(None),) * axis + (slice(0, None, 2),)
    functions: dict[str, Callable[[Tensor], Tensor]] = {
        "interleaved": lambda x: _interleaved(x, axis),
        "diagonal": lambda x: _diagonal(x.clone(), offset),
        "diagonal assigned": lambda x: _diagonal_assigned(x * 1.5, offset),
        "slice_scatter": lambda x: torch.slice_scatter(x, torch.sin(x[at]), axis, 0, None, 2),
        "index_copy": lambda x: x.index_copy(axis, rows, torch.sin(x.index_select(axis, rows))),
        "index_add": lambda x: x.clone().index_add_(axis, rows, x.index_select(axis, rows), alpha=0.5),
        "masked": lambda x: x.clone().masked_fill_(x > 0.3, 0.1),
    }
    return f"{way} {axis} {offset} {rows.tolist()}", Piece(
        functions[way], pointwise=way == "masked" or ("diagonal" not in way and axis == grid.channels)
    )


def draw(choose: Choose) -> Drawn:
    """One to three writes."""
    grid = draw_grid(choose)
    makers = [choose([_indexed, _indexed, _special]) for _ in range(choose([1, 2, 3]))]
    return around(choose, grid, [make(choose, grid) for make in makers])
