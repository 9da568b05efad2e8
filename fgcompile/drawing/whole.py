"""A whole photo in place of what an artifact was given of it, once it is found which part that was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from fgcompile.artifact.fitting import Fit, seen_part
from fgcompile.drawing.photo import Box, Photo, in_colour
from fgcompile.errors import InputError
from fgcompile.system.text import visible

Whole = Image.Image | NDArray[np.uint8] | str | Path
"""A picture of Pillow's, uint8 ``(H, W)`` or ``(H, W, C)``, or a file."""

_KEPT = (224 / 256, 1.0, 0.9, 0.95, 0.96)
"""Parts of the short side that evaluation crops keep: ours, which is most classifiers'; all of it; others of timm's."""

_ALIKE = 0.9
"""The least correlation of brightness of what was given and the part of the photo."""


def whole_photo(photo: Whole, seen: Photo, fit: Fit | None = None) -> Photo:
    """The whole photo, with the part that was seen.

    Args:
        photo: It.
        seen: What the artifact was given.
        fit: How it was made of the photo, where that is known; of one that was filled up the filling is drawn too.

    Raises:
        InputError: It cannot be read, or no part of it looks like what was given.
    """
    pixels = _pixels(photo)
    height, width = seen.pixels.shape[:2]
    if fit is not None:
        pixels, part = filled_up(pixels, seen_part((pixels.shape[1], pixels.shape[0]), (height, width), fit), fit)
    candidates = [(0, 0, pixels.shape[1], pixels.shape[0])]
    candidates += [part] if fit is not None else []
    if pixels.shape != seen.pixels.shape:  # one of that size is taken as it is
        candidates += [centre_crop((pixels.shape[1], pixels.shape[0]), (height, width), kept) for kept in _KEPT]
    likeness = [_likeness(pixels, box, seen.pixels) for box in candidates]
    best = int(np.argmax(likeness))
    if likeness[best] < _ALIKE:
        raise InputError(
            "the photo does not look like what was explained, nor does the middle of it: give the one that was, upright"
        )
    return Photo(pixels, candidates[best] if best else None)


def filled_up(
    pixels: NDArray[np.uint8], part: tuple[float, float, float, float], fit: Fit
) -> tuple[NDArray[np.uint8], Box]:
    """The photo, with as much of the filling around it as a part of it has, and the part in whole pixels.

    Args:
        pixels: uint8 ``(H, W, 3)``.
        part: Left, top, right and bottom in its pixels, beyond its edges where it was filled up.
        fit: How it was.
    """
    height, width = pixels.shape[:2]
    left, top, right, bottom = map(round, part)
    before, above, after, below = max(0, -left), max(0, -top), max(0, right - width), max(0, bottom - height)
    if before or above or after or below:
        whole = np.empty((above + height + below, before + width + after, 3), np.uint8)
        whole[:] = fit.fill
        whole[above : above + height, before : before + width] = pixels
        pixels = whole
    return pixels, (left + before, top + above, right + before, bottom + above)


def centre_crop(size: tuple[int, int], shape: tuple[int, int], kept: float = _KEPT[0]) -> Box:
    """The part about the centre, in the shape of what an artifact takes.

    Args:
        size: The photo's width and height.
        shape: The artifact's height and width.
        kept: How much of the side that limits it.

    Returns:
        Left, top, right and bottom.
    """
    factor = kept * min(size[0] / shape[1], size[1] / shape[0])
    across, down = factor * shape[1], factor * shape[0]
    left, top = (size[0] - across) / 2, (size[1] - down) / 2
    return round(left), round(top), round(left + across), round(top + down)


def _likeness(pixels: NDArray[np.uint8], box: Box, seen: NDArray[np.uint8]) -> float:
    if box[0] >= box[2] or box[1] >= box[3]:
        return 0.0
    size = seen.shape[1], seen.shape[0]
    part = Image.fromarray(pixels).convert("L").resize(size, Image.Resampling.BICUBIC, box)
    one, other = (np.asarray(each, np.float64).ravel() for each in (part, Image.fromarray(seen).convert("L")))
    one, other = one - one.mean(), other - other.mean()
    norm = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / norm if norm else float(not (one.any() or other.any()))


def _pixels(photo: Whole) -> NDArray[np.uint8]:
    if isinstance(photo, np.ndarray):
        if photo.dtype != np.uint8 or photo.ndim not in (2, 3):
            raise InputError(f"the photo is {photo.dtype} {photo.shape}: give uint8 (height, width, channels)")
        return in_colour(photo if photo.ndim == 3 else photo[..., np.newaxis])
    if isinstance(photo, str | Path):
        try:
            with Image.open(photo) as opened:
                opened.load()
                photo = opened
        except FileNotFoundError:
            raise InputError(f"{visible(str(photo))}: no such file") from None
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise InputError(
                f"{visible(str(photo))} cannot be read as a picture: give it as an array, or another file"
            ) from error
    if not isinstance(photo, Image.Image):
        raise InputError(f"the photo is a {_kind(photo)}: give a picture of Pillow's, an array, or the name of a file")
    if photo.mode in ("I", "F") or photo.mode.startswith("I;"):
        raise InputError(f"the photo's numbers are not bytes (mode {photo.mode}): give it as an array of uint8")
    upright = ImageOps.exif_transpose(photo)
    if upright.has_transparency_data:
        upright = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright.convert("RGBA"))
    return np.asarray(upright.convert("RGB"))


def _kind(value: Any) -> str:
    return type(value).__name__
