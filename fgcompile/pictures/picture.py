"""What a source makes of a file: its samples as they are stored, and what the file says of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Limits:
    """The samples that are black and white.

    Attributes:
        black: Of a picture that is ``inverted``, white.
        white: Of a picture that is ``inverted``, black.
        inverted: Whether larger samples are darker.
        stored: Whether nothing but the width of the stored numbers says so. Cameras and scanners put 10, 12 or 14 bits
            into 16, so a picture that leaves the upper two unused is not believed.
    """

    black: float
    white: float
    inverted: bool = False
    stored: bool = False


@dataclass(frozen=True)
class Picture:
    """A picture, upright.

    Attributes:
        samples: ``(H, W, C)``: C = 1 is grey, 3 is red, green and blue, anything else is an artifact's own.
        limits: None where the file says nothing. They and windows are in units of the rescaled samples.
        rescale: Slope and intercept, from stored samples to the file's own unit.
        alpha: uint8 ``(H, W)``: 0 where the background shows.
        kind: What it is, for messages, e.g. ``a TIFF of 32-bit floats``.
        prepared: Whether it is of the artifact's shape by being one of its inputs, so that nothing is left to fit.
        whole: Whether the samples are the file's own; False of the upper bytes of 16 bits, which no window fits.
    """

    samples: NDArray[Any]
    limits: Limits | None
    kind: str
    alpha: NDArray[np.uint8] | None = None
    rescale: tuple[float, float] = (1.0, 0.0)
    whole: bool = True
    prepared: bool = False
