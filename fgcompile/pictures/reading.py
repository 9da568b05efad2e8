"""How picture files are to be read: what a file does not say by itself."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from numbers import Integral, Real
from typing import Any

from fgcompile.artifact.fitting import MODES
from fgcompile.errors import InputError

MAX_PIXELS = 2**26
"""8192 by 8192: a picture of this size takes about half a gigabyte while it is read."""


WHOLE, TILE = "whole", "tile"

FITS = (*MODES, WHOLE, TILE)
"""How pictures can be asked to be fitted."""


@dataclass(frozen=True)
class Reading:
    """How picture files are read.

    Attributes:
        window: The file's values that become black and white; None for what the file says.
        background: What lies behind a transparent picture, ``(red, green, blue)`` in 0 to 255.
        page: The page of a TIFF, or the frame of an animation or of a DICOM file, counted from 1.
        max_pixels: Of a picture with more than these, width times height, nothing but its size is read.
        fit: One of ``fgcompile.artifact.fitting.MODES`` in place of what the artifact says; ``WHOLE``, as it is, for an
            artifact that takes any size; ``TILE``, in tiles of the artifact's size; None for what the artifact says.

    Raises:
        InputError: A value is out of its range.
    """

    window: tuple[float, float] | None = None
    background: tuple[int, int, int] = (255, 255, 255)
    page: int = 1
    max_pixels: int = MAX_PIXELS
    fit: str | None = None

    def __post_init__(self) -> None:
        if self.window is not None:
            if len(numbers := _numbers(self.window)) != 2:
                raise InputError("window is not two numbers: give the value of black and that of white, (0, 255)")
            low, high = numbers
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise InputError(f"window is {low:g} to {high:g}: give the value of black, then a larger one of white")
        if len(self.background) != 3 or not all(0 <= part <= 255 for part in self.background):
            raise InputError(f"background is {self.background}: give red, green and blue from 0 to 255")
        for name, value in (("page", self.page), ("max_pixels", self.max_pixels)):
            if not isinstance(value, Integral) or isinstance(value, bool):
                raise InputError(f"{name} is a {type(value).__name__}: give a whole number")
            if value < 1:
                raise InputError(f"{name} is {value}: give 1 or more")
        if self.fit is not None and self.fit not in FITS:
            raise InputError(f"fit is {self.fit!r}: give one of {', '.join(FITS)}")

    def as_dict(self) -> dict[str, Any]:
        """For JSON, as JSON gives it back."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    def require_size(self, width: int, height: int) -> None:
        """Passes pictures that are not too large.

        Raises:
            InputError: This one has more than ``max_pixels``, or none.
        """
        if width * height > self.max_pixels:
            raise InputError(
                f"{width} by {height} are {width * height:,} pixels, more than the {self.max_pixels:,} that are read: "
                "raise max_pixels of fgcompile.read_photos if you trust the file"
            )
        if width < 1 or height < 1:
            raise InputError(f"{width} by {height} pixels are no picture")


def _numbers(value: object) -> tuple[float, ...]:
    """The numbers of a list, tuple or array of such; none of anything else."""
    value = value.tolist() if hasattr(value, "tolist") else value  # NumPy's, which is not imported here
    if not isinstance(value, list | tuple):
        return ()
    return tuple(float(each) for each in value if isinstance(each, Real) and not isinstance(each, bool))


DEFAULT = Reading()
"""What a file says by itself; transparent ones over white, the first page."""
