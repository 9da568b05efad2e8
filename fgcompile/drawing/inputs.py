"""From an artifact's input to what is drawn: which of its axes are space, and its values as bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fgcompile.artifact.metadata import Metadata
from fgcompile.drawing.bars import Table, chosen
from fgcompile.drawing.letters import named
from fgcompile.drawing.photo import Photo, in_colour
from fgcompile.drawing.series import Series
from fgcompile.drawing.subjects import Subject
from fgcompile.drawing.volume import Volume
from fgcompile.errors import InputError

_LONGEST_TABLE = 64
"""Numbers of one sample; what is longer is a signal."""

_SPREAD = (0.5, 99.5)
"""The percentiles of prepared values, whose black and white nobody knows any more, that become these."""


def subject_of(
    name: str, sample: NDArray[Any], maps: NDArray[Any], metadata: Metadata, names: Sequence[str] | None = None
) -> Subject:
    """What the maps of an input are drawn over.

    Args:
        name: The input's.
        sample: One sample of it, without the batch.
        maps: ``(T, *spatial)``.
        metadata: The artifact's.
        names: Of the numbers of a table.

    Raises:
        InputError: The maps have more axes than can be drawn, or there are not as many names as numbers.
    """
    space = maps.shape[1:]
    if names is not None and sample.shape != space[:1]:
        raise InputError(f"names are those of a table's numbers, and {name} is none: leave them out")
    if names is not None and len(names) != space[0]:
        raise InputError(f"names are {len(names)}, and {name} has {space[0]} numbers")
    if len(space) == 1:
        return _line(name, sample, maps, names)
    if len(space) not in (2, 3):
        raise InputError(f"a map of {len(space)} axes is not drawn: take its values, explanation.saliency")
    values = _channels_last(sample, space, metadata)
    if values is None:  # such as the tokens of a grid: the map alone is drawn
        values = np.zeros((*space, 1), np.uint8)
    pixels = to_bytes(values)
    if len(space) == 2:
        return Photo(in_colour(pixels))
    return Volume(in_colour(pixels.reshape(-1, *pixels.shape[2:])).reshape(*space, 3))


def to_bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Values as they are drawn: bytes as they are, others from the 0.5th percentile, black, to the 99.5th, white."""
    if values.dtype == np.uint8:
        return values
    numbers = np.nan_to_num(values.astype(np.float64))
    low, high = np.percentile(numbers, _SPREAD)
    if high <= low:
        low, high = float(numbers.min()), float(numbers.max())
    return np.asarray(np.rint(255 * ((numbers - low) / ((high - low) or 1.0)).clip(0, 1)), np.uint8)


def _line(name: str, sample: NDArray[Any], maps: NDArray[Any], names: Sequence[str] | None) -> Subject:
    length = maps.shape[1]
    if sample.shape == (length,) and (names is not None or length <= _LONGEST_TABLE):
        places = [f"{name}[{place}]" for place in range(length)]
        return Table(list(map(named, names or places, places)), sample, chosen(maps))
    if sample.ndim == 2 and sample.shape[1] == length:
        return Series(sample, length)
    if sample.ndim == 2 and sample.shape[0] == length:
        return Series(sample.T, length)
    return Series(sample[np.newaxis] if sample.shape == (length,) and sample.dtype.kind == "f" else None, length)


def _channels_last(sample: NDArray[Any], space: tuple[int, ...], metadata: Metadata) -> NDArray[Any] | None:
    """``(*spatial, C)``; None where the sample has other axes than space and one of channels."""
    if sample.shape == space:
        return sample[..., np.newaxis]
    if sample.ndim != len(space) + 1:
        return None
    last, first = sample.shape[:-1] == space, sample.shape[1:] == space
    if last and (metadata["preprocess"] is not None or not first):
        return sample
    return np.moveaxis(sample, 0, -1) if first else None
