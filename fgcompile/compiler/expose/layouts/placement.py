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

from fgcompile.compiler.expose.layouts.positions import Positions, varies
from fgcompile.compiler.ir.programs import Batch, Placement

LETTERS = {1: "l", 2: "hw", 3: "dhw", 4: "tdhw"}
"""The names of the spatial axes in a layout, by their number."""


def find_batch(positions: Positions) -> Batch | None:
    """The axis along which the sample's index runs, and how; None where it is not along one axis."""
    index = positions.coordinates[0]
    axes = [axis for axis in range(len(positions.shape)) if varies(index, axis)]
    if index is None or len(axes) != 1:
        return None
    (axis,) = axes
    samples = int(index.max()) + 1
    size = positions.shape[axis]
    factor, rest = divmod(size, samples)
    along = index.flatten()
    if rest or along.isnan().any():
        return None
    for major in (True, False):
        expected = torch.arange(size) // factor if major else torch.arange(size) % samples
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
    """

    input: str
    coordinates: tuple[int, ...]
    rank: int

    @property
    def letters(self) -> Sequence[str]:
        count = len(self.coordinates)
        return LETTERS.get(count) or [f"s{index}" for index in range(count)]


def place(positions: Positions, space: Space) -> Placement | None:
    """How a value's elements lie over an input; None where they do not fill a grid evenly."""
    batch = find_batch(positions)
    given = [positions.coordinates[index] for index in space.coordinates]
    if batch is None or any(coordinate is None for coordinate in given):
        return None
    sample = [_of_one_sample(coordinate, positions.shape, batch) for coordinate in given if coordinate is not None]
    shape = sum(sample[1:], sample[0]).shape
    sizes = [batch.factor, *(size for axis, size in enumerate(positions.shape) if axis != batch.axis)]
    spread = [axis for axis, size in enumerate(shape) if size > 1]
    if not spread and not _pooled_to_one(positions.shape, batch, space):
        return None
    flat = torch.stack([coordinate.expand(shape).flatten() for coordinate in sample])
    cells = _cells(flat)
    if cells is None:
        return None
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
    along = [[axis for axis, size in enumerate(coordinate.shape) if size > 1] for coordinate in sample]
    taken = [axis for axes in along for axis in axes]
    if len(set(taken)) < len(taken) or any(len(axes) > 1 for axes in along):
        return None
    if any(axes and c.shape[axes[0]] != size for axes, c, size in zip(along, sample, grid, strict=True)):
        return None
    return tuple(axes[0] if axes else None for axes in along)


def _pooled_to_one(shape: tuple[int, ...], batch: Batch, space: Space) -> bool:
    """Whether a value is ``(N, C, 1, …, 1)`` with the input's rank: one cell for the whole input, as a gate has it."""
    return len(shape) == space.rank > 2 and batch == Batch(0, 1, True) and math.prod(shape[2:]) == 1


def _of_one_sample(coordinate: Tensor, shape: tuple[int, ...], batch: Batch) -> Tensor:
    """The first sample's coordinate, the batch axis's remaining factor in front."""
    fronted = coordinate.movedim(batch.axis, 0)
    if fronted.shape[0] == 1:
        return fronted
    samples = shape[batch.axis] // batch.factor
    return fronted[: batch.factor] if batch.major else fronted[::samples]


def _cells(coordinates: Tensor) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """The grid that places ``(R, P)`` fill, and the places by cell; None where a cell has more places than another."""
    valid = ~coordinates.isnan().any(0)
    if not valid.any():
        return None
    ranks, grid = [], []
    for coordinate in coordinates[:, valid]:
        values, rank = torch.unique((coordinate * 1e4).round(), return_inverse=True)
        ranks.append(rank)
        grid.append(len(values))
    cell = torch.zeros(int(valid.sum()), dtype=torch.int64)
    for rank, size in zip(ranks, grid, strict=True):
        cell = cell * size + rank
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
        letters = [letter for letter, c in zip(space.letters, given, strict=True) if varies(c, axis)]
        outside = max((_outside(c, axis) for c in given if c is not None and varies(c, axis)), default=0)
        names = " ".join((["n"] if axis == batch.axis else []) + letters)
        if axis == batch.axis and batch.factor > 1 and not letters:
            names = "n c"
        if not names:
            names = "c" if size > 1 else "1"
        names = f"{outside} + {names}" if outside else names
        axes.append(f"({names})" if " " in names else names)
    if not any(varies(c, axis) for c in given for axis in range(len(axes))):
        axes = ["n", "c", *space.letters]
    return " ".join(axes)


def _outside(coordinate: Tensor, axis: int) -> int:
    """How many entries along an axis have no position."""
    return int(coordinate.isnan().movedim(axis, 0).flatten(1).all(1).sum())
