"""Where in the input the elements of a value lie: for every input axis, a coordinate of each element, or none.

A coordinate is kept as a tensor of the value's rank whose size is 1 along the axes on which it does not depend; NaN
marks elements without one, such as class tokens; None is a coordinate that no element has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Coordinate = Tensor | None


@dataclass(frozen=True)
class Positions:
    """The coordinates of a value's elements.

    Attributes:
        shape: The value's shape, with a concrete batch.
        coordinates: The sample's index first, then one coordinate for each axis of each input.
        other: Where the elements lie as the other factor of a product has it: a score of a query and a key lies at the
            query, and at the key too.
    """

    shape: tuple[int, ...]
    coordinates: tuple[Coordinate, ...]
    other: Positions | None = None

    def moved(self, shape: Sequence[int], move: Callable[[Tensor], Tensor]) -> Positions:
        """After an operator that moves elements: ``move`` does to a coordinate what it did to the value."""
        other = self.other and self.other.moved(shape, move)
        return Positions(tuple(shape), tuple(self._each(lambda c: compressed(move(c.expand(self.shape))))), other)

    def mapped(self, shape: Sequence[int], change: Callable[[Tensor], Tensor]) -> Positions:
        """After an operator that acts along axes: ``change`` gets each coordinate as it is kept."""
        other = self.other and self.other.mapped(shape, change)
        return Positions(tuple(shape), tuple(self._each(lambda c: compressed(change(c)))), other)

    def moved_with_gaps(self, shape: Sequence[int], move: Callable[[Tensor], Tensor], axes: Iterable[int]) -> Positions:
        """As ``moved``, where elements without position were added along ``axes``; they belong to their samples too."""
        result = self.moved(shape, move)
        samples = result.coordinates[0]
        if samples is None:
            return result
        filled = torch.where(samples.isnan(), samples.nanmean(list(axes), keepdim=True), samples)
        return Positions(result.shape, (compressed(filled), *result.coordinates[1:]))

    def averaged(self, axes: Iterable[int]) -> Positions:
        """After a sum over axes that stay with size 1.

        A coordinate that varied, and no longer does, is lost, unless the other factor of a product has it still.
        """
        kept = list(axes)

        # A sum over an axis on which a coordinate does not depend leaves it. One that moved along that axis keeps
        # its mean only if it still moves along another: a mean that is the same everywhere says nothing of a place.
        def average(coordinate: Tensor) -> Tensor | None:
            if not any(varies(coordinate, axis) for axis in kept):
                return coordinate
            mean = compressed(coordinate.nanmean(kept, keepdim=True))
            return mean if any(moves(mean, axis) for axis in range(len(self.shape))) else None

        shape = tuple(1 if axis in kept else size for axis, size in enumerate(self.shape))
        found = self._each(average)
        if self.other is not None:
            spare = self.other.averaged(kept).coordinates
            found = [second if first is None else first for first, second in zip(found, spare, strict=True)]
        return Positions(shape, tuple(found))

    def _each(self, change: Callable[[Tensor], Coordinate]) -> list[Coordinate]:
        return [None if coordinate is None else change(coordinate) for coordinate in self.coordinates]


def compressed(coordinate: Tensor) -> Coordinate:
    """The coordinate with size 1 along every axis on which it does not depend."""
    for axis in range(coordinate.ndim):
        if not _varies_along(coordinate, axis):
            coordinate = coordinate.narrow(axis, 0, min(coordinate.shape[axis], 1))
    return None if coordinate.isnan().all() else coordinate.contiguous()


def _varies_along(coordinate: Tensor, axis: int) -> bool:
    size = coordinate.shape[axis]
    if size < 2 or coordinate.stride(axis) == 0:  # one entry, or an expanded one
        return False
    first, second = coordinate.narrow(axis, 0, 1), coordinate.narrow(axis, 1, 1)
    return not _same(first, second) or not _same(coordinate, first)


def _same(one: Tensor, other: Tensor) -> bool:
    return bool(((one == other) | (one.isnan() & other.isnan())).all())


def varies(coordinate: Coordinate, axis: int) -> bool:
    """Whether the coordinate depends on an axis of the value."""
    return coordinate is not None and coordinate.shape[axis] > 1


def moves(coordinate: Coordinate, axis: int) -> bool:
    """Whether positions change along an axis of the value, beyond that some elements have none."""
    if coordinate is None or not varies(coordinate, axis):
        return False
    low = coordinate.nan_to_num(nan=torch.inf).amin(axis)
    high = coordinate.nan_to_num(nan=-torch.inf).amax(axis)
    return bool((low < high).any())


def joined(operands: Sequence[Positions], shape: Sequence[int]) -> Positions:
    """After an elementwise operator: each coordinate from the operand along most of whose axes it varies."""
    chosen = tuple(_along_most(operands, index, len(shape)) for index in range(len(operands[0].coordinates)))
    others = [operand.other for operand in operands if operand.other is not None]
    return Positions(tuple(shape), chosen, joined(others, shape) if others else None)


def multiplied(factors: Sequence[Positions], shape: Sequence[int]) -> Positions:
    """After a product: as after an elementwise operator, and of what both factors know the other's place is kept."""
    result = joined(factors, shape)
    if len(factors) < 2:
        return result
    samples, *rest = result.coordinates
    spare = [_differing(coordinate, factors, index) for index, coordinate in enumerate(rest, 1)]
    known = any(coordinate is not None for coordinate in spare)
    return Positions(result.shape, result.coordinates, Positions(result.shape, (samples, *spare)) if known else None)


def _along_most(operands: Sequence[Positions], index: int, rank: int) -> Coordinate:
    found = [operand.coordinates[index] for operand in operands]
    known = [_leading(candidate, rank) for candidate in found if candidate is not None]
    return max(known, key=lambda c: sum(size > 1 for size in c.shape), default=None)


def _differing(chosen: Coordinate, factors: Sequence[Positions], index: int) -> Coordinate:
    """The coordinate of a factor whose axes are not those of the chosen one."""
    for factor in factors:
        candidate = factor.coordinates[index]
        if chosen is not None and candidate is not None:
            candidate = _leading(candidate, chosen.ndim)
            if candidate.shape != chosen.shape:
                return candidate
    return None


def _leading(coordinate: Tensor, rank: int) -> Tensor:
    """Broadcasting adds axes in front."""
    return coordinate.reshape([1] * (rank - coordinate.ndim) + list(coordinate.shape))


def resampled(coordinate: Tensor, axis: int, places: Tensor) -> Tensor:
    """The coordinate at fractional ``places`` ``(O,)`` along an axis, linear in between and beyond the ends."""
    if not varies(coordinate, axis):
        return coordinate
    # Centres of a padded convolution's outer windows lie beyond the ends: there the line through the first and the last
    # known place goes on, so that the cells stay evenly spaced. Between two entries one of which has no position (NaN)
    # there is none, unless the place is exactly the other one.
    along = coordinate.movedim(axis, -1)
    known = (~along.isnan()).reshape(-1, along.shape[-1]).any(0).nonzero().flatten()
    first, last = int(known[0]), int(known[-1])
    inside = places.clamp(first, last)
    low, high = along[..., inside.floor().long()], along[..., inside.ceil().long()]
    fraction = inside - inside.floor()
    value = torch.where(fraction == 0, low, low + (high - low) * fraction)
    step = (along[..., last] - along[..., first]) / (last - first) if last > first else torch.ones(())
    return (value + (places - inside) * step.unsqueeze(-1)).movedim(-1, axis)
