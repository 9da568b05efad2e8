"""How places fill the grid at any size, where they are not the grid itself: tokens, borders without a place, orders.

``n c (h w)``, ``n (1 + h w) c``, ``n c (3 + l)``, ``n c w h``: of each axis of places the entries that have a cell lie
side by side, and the axes of the grid that run along it follow one another; a cell may have several entries, side by
side too. Their sizes are read off a value before it where they had an axis each, and hold if they multiply to the size
of the axis they share.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx

from fgcompile.compiler.expose.layouts.placement import Space, of_one_sample
from fgcompile.compiler.expose.layouts.positions import Positions, compressed, varies
from fgcompile.compiler.ir.programs import Cells, Placement
from fgcompile.compiler.ir.sizes import difference, hint, same_size

Size = int | torch.SymInt


class Extents:
    """The sizes that each coordinate has where it runs along an axis alone, by the places that it takes there."""

    def __init__(self, positions: Mapping[fx.Node, Any]) -> None:
        self._found: dict[tuple[int, tuple[float, ...]], list[Size]] = {}
        for node, known in positions.items():
            if isinstance(known, Positions):
                self._note(known, node.meta["val"].shape)

    def of(self, index: int, places: Tensor) -> list[Size]:
        """Those of a coordinate that takes these places, the latest first."""
        return self._found.get((index, _key(places)), [])[::-1]

    def _note(self, known: Positions, shape: Sequence[Size]) -> None:
        for index, coordinate in enumerate(known.coordinates[1:], start=1):
            axes = [axis for axis in range(len(shape)) if varies(coordinate, axis)]
            if coordinate is None or len(axes) != 1 or coordinate.isnan().any():
                continue
            key, size = (index, _key(coordinate.flatten())), shape[axes[0]]
            if len(key[1]) == hint(size) and not any(same_size(size, other) for other in self._found.get(key, [])):
                self._found.setdefault(key, []).append(size)


def _key(places: Tensor) -> tuple[float, ...]:
    """The places in order, each once; those that differ by rounding are one."""
    return tuple(torch.unique((places[~places.isnan()] * 1e4).round()).tolist())


def with_cells(
    placement: Placement, positions: Positions, space: Space, value: Tensor, samples: Size, extents: Extents
) -> Placement | None:
    """The placement with its cells at any size; None where no axis of the value tells them.

    Args:
        placement: How the value lies over an input at the example's sizes.
        positions: Where its elements lie.
        space: That input's axes.
        value: The fake tensor, whose sizes are symbols.
        samples: The size of the batch.
        extents: What is known of the sizes of coordinates.
    """
    coordinates = [positions.coordinates[index] for index in space.coordinates]
    sample = [of_one_sample(c, positions.shape, placement.batch) for c in coordinates if c is not None]
    cropped = _cropped(sample, placement.places)
    if cropped is None:
        return None
    sample, before = cropped
    found = [_runs(sample, axis) for axis in placement.places]
    known = [along for along in found if along is not None]
    # In the order of the grid's axes once the axes of places are sorted: each runs along one, and none in between.
    order = [run for along in sorted(along for along in known if along.runs) for run in along.runs]
    if len(known) < len(found) or order != [grid for grid, size in enumerate(placement.grid) if size > 1]:
        return None
    batch = placement.batch.axis
    own = [value.shape[batch] // samples, *(size for axis, size in enumerate(value.shape) if axis != batch)]
    sizes: list[Size] = [1] * len(sample)
    for axis, along in zip(placement.places, known, strict=True):
        candidates = [extents.of(space.coordinates[run], sample[run]) for run in along.runs]
        outside = hint(own[axis]) - along.repeats * math.prod(placement.grid[run] for run in along.runs)
        agreed = next(_agreeing(own[axis], outside, along.repeats, candidates), None)
        if agreed is None:
            return None
        for run, size in zip(along.runs, agreed, strict=True):
            sizes[run] = size
    cells = Cells(
        tuple(before), tuple(along.runs for along in known), tuple(along.repeats for along in known), tuple(sizes)
    )
    return replace(placement, order=None, cells=cells)


def _agreeing(size: Size, outside: int, repeats: int, known: Sequence[Sequence[Size]]) -> Iterator[tuple[Size, ...]]:
    """The sizes, one of each list, whose product is that of the axis but for the entries outside, at every size."""
    for chosen in itertools.product(*known):
        if difference(size, math.prod(chosen) * repeats) == outside:
            yield chosen
    if len(known) == 1 and repeats == 1:
        yield (size - outside,)


def _cropped(sample: Sequence[Tensor], places: Sequence[int]) -> tuple[list[Tensor], list[int]] | None:
    """The coordinates of those entries that have a place, and how many there are before along each axis of places."""
    valid = ~sum(sample[1:], sample[0]).isnan()
    before = []
    for axis in places:
        along = valid.movedim(axis, 0).flatten(1).any(1).nonzero().flatten()
        first, count = int(along[0]), len(along)
        if int(along[-1]) - first + 1 != count:
            return None  # two parts, with entries between them that have none
        before.append(first)
        sample = [c.narrow(axis, first, count) if c.shape[axis] > 1 else c for c in sample]
    kept = [compressed(coordinate) for coordinate in sample]
    whole = [c for c in kept if c is not None and not c.isnan().any()]
    return (whole, before) if len(whole) == len(kept) else None


class _Along(NamedTuple):
    """The coordinates that run along an axis, the slowest first, and how many entries side by side are one cell."""

    runs: tuple[int, ...]
    repeats: int


def _runs(sample: Sequence[Tensor], axis: int) -> _Along | None:
    """What runs along an axis; None where it does not count through its cells."""
    running = [run for run, coordinate in enumerate(sample) if coordinate.shape[axis] > 1]
    if any(coordinate.numel() != coordinate.shape[axis] for coordinate in (sample[run] for run in running)):
        return None
    ranks = {}
    for run in running:
        values, rank = torch.unique((sample[run].flatten() * 1e4).round(), return_inverse=True)
        ranks[run] = rank, len(values)
    cell = torch.zeros(next((len(rank) for rank, _ in ranks.values()), 0), dtype=torch.int64)
    for rank, size in ranks.values():
        cell = cell * size + rank
    repeats = max(len(cell) // math.prod(size for _, size in ranks.values()), 1)
    return _Along(tuple(running), repeats) if torch.equal(cell, torch.arange(len(cell)) // repeats) else None
