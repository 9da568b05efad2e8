"""From positions to a placement: how the elements of a value are arranged into a grid of cells over the input.

A value is brought into the form ``(N, C, P)``: what belongs to one sample, split into what adds up within a place and
the places; a selection of the places, in the order of the grid, leaves ``(N, C, *grid)``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fgcompile.compiler.expose.layouts.positions import Positions, moves, varies
from fgcompile.compiler.ir.fixed_batch import ALONE
from fgcompile.compiler.ir.programs import Batch, Placement

LETTERS = {1: "l", 2: "hw", 3: "dhw", 4: "tdhw"}
"""The names of the spatial axes in a layout, by their number."""


def find_batch(positions: Positions, samples: int) -> Batch | None:
    """The axis along which the sample's index runs, and how; None where it is not along one axis.

    Of one sample (``ir.fixed_batch``) all that there is belongs to it, wherever the model has put its batch: the first
    axis is then taken to hold all of its entries one after the other.
    """
    if samples == ALONE:
        return Batch(0, positions.shape[0] if positions.shape else 1, True)
    index = positions.coordinates[0]
    axes = [axis for axis in range(len(positions.shape)) if varies(index, axis)]
    if index is None or len(axes) != 1:
        return None
    # The batch axis may hold more than samples: windows or heads folded into it, each sample's together (major, as
    # reshape leaves them) or samples running fastest. Anything else, such as a NaN that a concatenation left, is none.
    (axis,) = axes
    count = int(index.max()) + 1
    size = positions.shape[axis]
    factor, rest = divmod(size, count)
    along = index.flatten()
    if rest or along.isnan().any():
        return None
    for major in (True, False):
        expected = torch.arange(size) // factor if major else torch.arange(size) % count
        if (along == expected).all():
            return Batch(axis, factor, major)
    return None


@dataclass(frozen=True)
class Space:
    """One input's spatial axes.

    Attributes:
        input: The input's name.
        coordinates: The indices of their coordinates.
        rank: The input's own rank.
        samples: The batch of the example.
    """

    input: str
    coordinates: tuple[int, ...]
    rank: int
    samples: int

    @property
    def letters(self) -> Sequence[str]:
        count = len(self.coordinates)
        return LETTERS.get(count) or [f"s{index}" for index in range(count)]


def place(positions: Positions, space: Space) -> Placement | None:
    """How a value's elements lie over an input; None where they do not fill a grid evenly."""
    batch = find_batch(positions, space.samples)
    given = [positions.coordinates[index] for index in space.coordinates]
    if batch is None or any(coordinate is None for coordinate in given):
        return None
    # From here on one sample is enough: all have the same places. Their shape is that of the value with the batch axis
    # moved to the front, where a factor may be left of it (windows folded into the batch), and with size 1 along every
    # axis on which no coordinate depends. The axes that are left are the places; the others add up within a place.
    sample = [of_one_sample(coordinate, positions.shape, batch) for coordinate in given if coordinate is not None]
    shape = sum(sample[1:], sample[0]).shape
    assert batch.factor is not None
    sizes = [batch.factor, *(size for axis, size in enumerate(positions.shape) if axis != batch.axis)]
    spread = [axis for axis, size in enumerate(shape) if size > 1]
    # No place at all: logits and class tokens have none, and no map. A gate (N, C, 1, 1) is about the whole input.
    if not spread and not _pooled_to_one(positions.shape, batch, space):
        return None
    flat = torch.stack([coordinate.expand(shape).flatten() for coordinate in sample])
    cells = _cells(flat)
    if cells is None:
        return None
    # In their own order the places are the grid already. Class tokens, which have no cell, windows, and axes in another
    # order than the input's need a selection.
    grid, order = cells
    ordered = order == tuple(range(flat.shape[1]))
    return Placement(
        input=space.input,
        pattern=_pattern(positions, batch, given, space),
        batch=batch,
        channels=tuple(axis for axis in range(len(sizes)) if axis not in spread and (axis > 0 or sizes[0] > 1)),
        places=tuple(spread),
        order=None if ordered else order,
        grid=grid,
        axes=_grid_axes(sample, grid) if ordered else None,
    )


def _grid_axes(sample: Sequence[Tensor], grid: Sequence[int]) -> tuple[int | None, ...] | None:
    """The axis along which each coordinate runs alone, one cell a step; None where one does not."""
    # For dynamic sizes the grid has to be read off the value's own axes: its numbers are those of the example.
    along = [[axis for axis, size in enumerate(coordinate.shape) if size > 1] for coordinate in sample]
    taken = [axis for axes in along for axis in axes]
    # Two coordinates on one axis are tokens (h w); one coordinate on two axes is split into windows and places in them.
    if len(set(taken)) < len(taken) or any(len(axes) > 1 for axes in along):
        return None
    # An axis longer than its cells repeats some: several steps of it fall into one cell.
    if any(axes and c.shape[axes[0]] != size for axes, c, size in zip(along, sample, grid, strict=True)):
        return None
    return tuple(axes[0] if axes else None for axes in along)


def _pooled_to_one(shape: tuple[int, ...], batch: Batch, space: Space) -> bool:
    """Whether a value is ``(N, C, 1, …, 1)`` with the input's rank: one cell for the whole input, as a gate has it."""
    return len(shape) == space.rank > 2 and batch == Batch(0, 1, True) and math.prod(shape[2:]) == 1


def of_one_sample(coordinate: Tensor, shape: tuple[int, ...], batch: Batch) -> Tensor:
    """The first sample's coordinate, the batch axis's remaining factor in front."""
    fronted = coordinate.movedim(batch.axis, 0)
    if fronted.shape[0] == 1:
        return fronted
    assert batch.factor is not None
    samples = shape[batch.axis] // batch.factor
    return fronted[: batch.factor] if batch.major else fronted[::samples]


def _cells(coordinates: Tensor) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """The grid that places ``(R, P)`` fill, and the places by cell; None where a cell has more places than another."""
    # A place without one of the coordinates (a class token, a border that was padded) lies in no cell and is left out.
    valid = ~coordinates.isnan().any(0)
    if not valid.any():
        return None
    ranks, grid = [], []
    for coordinate in coordinates[:, valid]:
        # Centres of windows are sums of fractions: what differs by rounding alone is one line of the grid.
        values, rank = torch.unique((coordinate * 1e4).round(), return_inverse=True)
        ranks.append(rank)
        grid.append(len(values))
    cell = torch.zeros(int(valid.sum()), dtype=torch.int64)
    for rank, size in zip(ranks, grid, strict=True):
        cell = cell * size + rank
    # A grid with a hole, or with more places in one cell than in another, would weigh parts of the input unevenly.
    counts = torch.bincount(cell, minlength=math.prod(grid))
    if (counts != counts[0]).any():
        return None
    by_cell = valid.nonzero().flatten()[torch.argsort(cell, stable=True)]
    layers = by_cell.reshape(-1, int(counts[0])).t().flatten()  # the grid once for each place of a cell
    return tuple(grid), tuple(layers.tolist())


def _pattern(positions: Positions, batch: Batch, given: Sequence[Tensor | None], space: Space) -> str:
    """The layout in words, e.g. ``n c h w`` or ``n (1 + h w) c``."""
    axes = []
    for axis, size in enumerate(positions.shape):
        # The sample's letter first, then the coordinates that run here; an axis with neither is the channels', or of
        # size 1. What is folded into the batch and has no place counts as channels.
        letters = [letter for letter, c in zip(space.letters, given, strict=True) if moves(c, axis)]
        outside = max((_outside(c, axis) for c in given if c is not None and varies(c, axis)), default=0)
        names = " ".join((["n"] if axis == batch.axis else []) + letters)
        if axis == batch.axis and batch.factor != 1 and not letters:
            names = "n c"
        if not names:
            names = "c" if size > 1 else "1"
        names = f"{outside} + {names}" if outside else names
        axes.append(f"({names})" if " " in names else names)
    # One cell for the whole input: the input's own pattern, as for what it was pooled from.
    if not any(varies(c, axis) for c in given for axis in range(len(axes))):
        axes = ["n", "c", *space.letters]
    return " ".join(axes)


def _outside(coordinate: Tensor, axis: int) -> int:
    """How many entries along an axis have no position."""
    return int(coordinate.isnan().movedim(axis, 0).flatten(1).all(1).sum())
