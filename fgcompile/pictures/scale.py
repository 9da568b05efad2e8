"""From stored samples to the uint8 that artifacts take: ``255 (s - black) / (white - black)``, clipped and rounded."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fgcompile.errors import InputError
from fgcompile.pictures.picture import Limits, Picture

_CHUNK = 1 << 20
"""Samples scaled at once: float64 of a whole picture would take eight times its memory."""

_UNUSED = 4
"""A picture whose samples end below a quarter of what can be stored leaves the upper two bits unused."""


def to_uint8(picture: Picture, window: tuple[float, float] | None) -> NDArray[np.uint8]:
    """The samples, 0 for black and 255 for white; those that are bytes already, and fill them, as they are.

    Args:
        picture: What was read.
        window: Black and white, in place of what the file says.

    Returns:
        uint8 of the same shape.

    Raises:
        InputError: The file does not say which values are black and white, or has some that are no numbers.
    """
    limits = _limits(picture, window)
    samples = picture.samples
    if samples.dtype == np.uint8 and limits == Limits(0, 255) and picture.rescale == (1, 0):
        return samples
    _require_numbers(samples, picture.kind)
    if limits.stored:
        _require_depth(picture, limits)
    return _scale(samples, picture.rescale, limits)


def _limits(picture: Picture, window: tuple[float, float] | None) -> Limits:
    if window is not None:
        if not picture.whole:
            raise InputError(f"{picture.kind} is read as 8 bits, which no window fits: convert it to 8 bits first")
        if picture.samples.dtype == np.uint8 and picture.rescale == (1, 0) and window[1] > 255:
            # A window for deeper files of the same folder would make this one black.
            raise InputError(f"{picture.kind} has 8 bits, no values up to {window[1]:g}: read it without the window")
        inverted = picture.limits is not None and picture.limits.inverted
        return Limits(*window, inverted=inverted)
    if picture.limits is None:
        raise InputError(
            f"{picture.kind} does not say which of its values are black and white: give them, "
            "window=(LOW, HIGH) of fgcompile.read_photos"
        )
    black, white = picture.limits.black, picture.limits.white
    if not (math.isfinite(white - black) and black < white):
        raise InputError(
            f"{picture.kind} says that black is {black:g} and white {white:g}: give the two, "
            "window=(LOW, HIGH) of fgcompile.read_photos"
        )
    return picture.limits


def _require_numbers(samples: NDArray[Any], kind: str) -> None:
    # The sum is infinite or NaN where a sample is, and else only in magnitudes that no picture has.
    with np.errstate(all="ignore"):
        finite = samples.dtype.kind != "f" or bool(np.isfinite(samples.sum(dtype=np.float64)))
    if not finite:
        raise InputError(f"{kind} has values that are NaN or infinite: replace them")


def _require_depth(picture: Picture, limits: Limits) -> None:
    """Passes pictures that use what their numbers can hold.

    Raises:
        InputError: They look like fewer bits, which would all become black, or the same grey.
    """
    low, high = int(picture.samples.min()), int(picture.samples.max())
    largest = max(abs(low), abs(high))
    if largest == 0 or _UNUSED * largest >= limits.white:
        return
    seems = f"{picture.kind} leaves its upper bits unused, which may be fewer bits in wider numbers"
    if not picture.whole:
        raise InputError(f"{seems}: convert it to 8 bits, so that white is 255")
    guess = (1 << largest.bit_length()) - 1
    raise InputError(
        f"{seems}: its values go from {low} to {high}; say what is black and white, e.g. window=(0, {guess}) "
        f"of fgcompile.read_photos, or window=({limits.black:g}, {limits.white:g}) if the picture is dark"
    )


def _scale(samples: NDArray[Any], rescale: tuple[float, float], limits: Limits) -> NDArray[np.uint8]:
    scaled = np.empty(samples.shape, np.uint8)
    rows = max(1, _CHUNK // max(1, samples[0].size))
    slope, intercept = rescale
    for start in range(0, len(samples), rows):
        with np.errstate(over="ignore"):  # what is far beyond white is white
            values = slope * samples[start : start + rows].astype(np.float64) + intercept
            levels = 255 * ((values - limits.black) / (limits.white - limits.black)).clip(0, 1)
        scaled[start : start + rows] = np.rint(255 - levels if limits.inverted else levels)
    return scaled
