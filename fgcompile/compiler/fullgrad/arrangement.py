"""Brings a site's tensors into one form, whatever their layout: samples, channels, and places of the input in order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import SymInt, Tensor

from fgcompile.compiler.ir.programs import Batch, BiasedProgram, Placement
from fgcompile.compiler.ir.sizes import same_size
from fgcompile.compiler.ir.torch_internals import computed

BATCH_FIRST = Batch(0, 1, True)

Orders = Mapping[tuple[int, ...], Tensor]
"""Index tensors of the placements' orders, which are constants of a traced graph."""


@dataclass(frozen=True)
class Arranged:
    """A value by samples, channels and places.

    Attributes:
        values: ``(N, C, P)``, or ``(N, P, C)`` where the channels run fastest, or ``(N, …, P, …)`` with channels on
            both sides.
        channels: The axes of the channels.
    """

    values: Tensor
    channels: tuple[int, ...]

    @property
    def places(self) -> int:
        """The axis of the places."""
        (axis,) = set(range(1, self.values.ndim)).difference(self.channels)
        return axis


def is_first(batch: Batch) -> bool:
    """Whether a value is ``(N, …)`` already; a factor that is dynamic is not compared, which would fix it."""
    return not batch.at_size and batch == BATCH_FIRST


def at_size(batch: Batch, value: Tensor, samples: int) -> Batch:
    """The batch with its factor at the value's own size, where sizes are dynamic."""
    if batch.factor is not None:
        return batch
    return replace(batch, factor=value.shape[batch.axis] // samples, at_size=True)


def placed_at(placement: Placement, value: Tensor, samples: int, sizes: Mapping[Any, int | SymInt]) -> Placement:
    """The placement with its batch's factor and its grid at the value's own size, where sizes are dynamic."""
    batch = at_size(placement.batch, value, samples)
    return replace(placement, batch=batch, grid=grid_at(placement, sizes))


def grid_at(placement: Placement, sizes: Mapping[Any, int | SymInt]) -> tuple[Any, ...]:
    """The grid with what each symbol of the placement's cells is; as it is where there are none."""
    return placement.grid if placement.cells is None else tuple(computed(n, sizes) for n in placement.cells.sizes)


def batch_first(value: Tensor, batch: Batch) -> Tensor:
    """The value as ``(N, factor, …)``, or as ``(N, …)`` if the batch is in front already.

    Args:
        value: The value.
        batch: Where its samples are, its factor known (``at_size``).
    """
    if is_first(batch):
        return value if value.ndim else value.reshape(1)  # a number of the only sample
    assert batch.factor is not None
    fronted = value.movedim(batch.axis, 0)
    rest = list(fronted.shape[1:])
    if batch.major:
        return fold(fronted, [fronted.shape[0] // batch.factor, batch.factor, *rest], 0)
    return fold(fronted, [batch.factor, fronted.shape[0] // batch.factor, *rest], 1).transpose(0, 1)


def fold(value: Tensor, sizes: Sequence[int], batch: int = 0) -> Tensor:
    """Reshapes a value; the batch's size is left for the reshape to find, unless others are dynamic too."""
    dynamic = any(not isinstance(size, int) for axis, size in enumerate(sizes) if axis != batch)
    return value.reshape([size if axis != batch or dynamic else -1 for axis, size in enumerate(sizes)])


def grid_of(value: Tensor, placement: Placement) -> tuple[int, ...]:
    """The number of cells along each spatial axis of the input, at the value's own size."""
    if placement.axes is None:
        return placement.grid
    batch = placement.batch
    sizes: list[Any] = [batch.factor, *(size for axis, size in enumerate(value.shape) if axis != batch.axis)]
    return tuple(1 if axis is None else sizes[axis] for axis in placement.axes)


def arrange(value: Tensor, placement: Placement) -> Arranged:
    """The value by samples, channels and places, in the order that it has."""
    fronted = batch_first(value, placement.batch)
    channels, places = map(list, _axes(placement))
    if placement.cells is not None:
        fronted, places, channels = _in_order(fronted, places, channels, placement)
    samples, *sizes = (math.prod(fronted.shape[a] for a in axes) for axes in ([0], channels, places))
    # A reshape is free, a permutation a copy: channels that come last stay last (axis 2), and only where channels and
    # places are mixed are they brought into order.
    if places + channels == sorted(places + channels) and channels:
        return Arranged(fold(fronted, [samples, sizes[1], sizes[0]]), (2,))
    if channels + places != sorted(channels + places):
        others = [axis for axis in range(1, fronted.ndim) if axis not in channels and axis not in places]
        fronted = fronted.permute(0, *others, *channels, *places)
    return Arranged(fold(fronted, [samples, *sizes]), (1,))


def _axes(placement: Placement) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The axes of channels and of places of a value whose batch is in front."""
    shift = 0 if is_first(placement.batch) else 1
    return tuple(axis + shift for axis in placement.channels), tuple(axis + shift for axis in placement.places)


def arrange_around(value: Tensor, placement: Placement) -> Arranged:
    """The value by samples, channels and places, with channels on both sides of the places where they lie so.

    To bring such channels together, as attention's heads and keys are around its queries, is a copy, which nothing
    needs that is reduced over them.
    """
    channels, places = _axes(placement)
    around = len(places) == 1 and min(channels, default=0) < places[0] < max(channels, default=0)
    if not around or placement.cells is not None:
        return arrange(value, placement)
    fronted = batch_first(value, placement.batch)
    return Arranged(fronted, channels) if fronted.ndim == len(channels) + 2 else arrange(value, placement)


def _in_order(
    value: Tensor, places: list[int], channels: list[int], placement: Placement
) -> tuple[Tensor, list[int], list[int]]:
    """The value without the entries that have no cell, its axes of places in the order of the grid's, and of channels.

    The entries of one cell add up like channels, and get an axis of these.
    """
    cells, grid = placement.cells, placement.grid
    assert cells is not None
    runs = dict(zip(places, cells.runs, strict=True))
    # From behind, so that an axis that is added moves none that is still to come.
    for axis, before, repeats in sorted(zip(places, cells.before, cells.repeats, strict=True), reverse=True):
        count = math.prod(grid[run] for run in runs[axis])
        if before or not same_size(count * repeats, value.shape[axis]):
            value = value.narrow(axis, before, count * repeats)
        if repeats > 1:
            value = fold(value, [*value.shape[:axis], count, repeats, *value.shape[axis + 1 :]])
            runs = {other + (other > axis): own for other, own in runs.items()}
            channels = sorted([axis + 1, *(other + (other > axis) for other in channels)])
    return value, sorted(runs, key=lambda axis: runs[axis]), channels


def bias_axis(placement: Placement, channel_axis: int | None, rank: int) -> bool:
    """Whether a one-dimensional bias runs along the placement's channels, and they along nothing else.

    Args:
        placement: Where the site's elements lie.
        channel_axis: The axis of the value that the bias runs along, None for the last.
        rank: The value's.
    """
    if placement.cells is not None and any(repeats > 1 for repeats in placement.cells.repeats):
        return False
    axis = rank - 1 if channel_axis is None else channel_axis
    others = [a for a in range(rank) if a != placement.batch.axis]
    return axis in others and placement.channels == (others.index(axis) + 1,)


def in_cells(values: Tensor, axis: int, order: tuple[int, ...] | None, orders: Orders) -> Tensor:
    """Selects and orders the places along an axis, so that they fill the grid's cells."""
    if order is None:
        return values
    if is_range(order):
        return values.narrow(axis, order[0], len(order))
    return values.index_select(axis, orders[order])


def is_range(order: Sequence[int]) -> bool:
    """Whether the places are side by side and in order, as tokens are behind a class token."""
    return list(order) == list(range(order[0], order[0] + len(order)))


def excludes(placement: Placement, places: int) -> bool:
    """Whether some of the places belong to no cell."""
    return placement.order is not None and len(placement.order) != places


def index_orders(program: BiasedProgram) -> dict[tuple[int, ...], Tensor]:
    """The index tensor of every placement's order that is not a mere range."""
    placements = (*program.maps, *(placement for site in program.sites for placement in site.placements))
    orders = {placement.order for placement in placements if placement.order is not None}
    return {order: torch.tensor(order) for order in sorted(orders) if not is_range(order)}
