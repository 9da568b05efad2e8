"""Ordinary picture files, by Pillow: upright, one page, as grey or as red, green and blue, with what is transparent.

Palettes, YCbCr, CMYK (Adobe's inverted one too) and Lab become RGB. Colour profiles are not applied: networks are
trained on the numbers that files hold, and a profile would change them; of Lab the plain conversion to sRGB is taken.
Colour of 16 bits comes as its upper 8, which is all that Pillow gives, and all that an artifact takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from fgcompile.errors import InputError
from fgcompile.pictures.picture import Limits, Picture
from fgcompile.pictures.reading import Reading
from fgcompile.pictures.sources import depth, netpbm

FORMATS: tuple[str, ...] = ("AVIF", "BMP", "DIB", "GIF", "ICO", "JPEG", "JPEG2000", "PCX", "PNG", "PPM", "QOI", "SGI")
FORMATS += ("TGA", "TIFF", "WEBP")
"""What is read. Pillow knows more: programs (EPS goes to Ghostscript), and kinds whose range of values it drops."""

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def read(file: BinaryIO, shape: tuple[int, int, int], reading: Reading) -> Picture:
    """Reads a picture of one of ``FORMATS``.

    Raises:
        InputError: It is none of them, too large, has no such page, or no meaning that is known here.
    """
    _require_channels(shape)
    with bounded(reading), _opened(file) as image:
        _turn_to(image, reading)
        reading.require_size(*image.size)
        if image.format == "PPM" and netpbm.is_slow(image):
            return netpbm.read(image, file)
        stored = depth.of(image, file)
        ImageOps.exif_transpose(image, in_place=True)
        if image.mode in depth.DEEP:
            return depth.picture_of(image, stored)
        return _shallow(image, stored)


def read_image(image: Image.Image, shape: tuple[int, int, int], reading: Reading) -> Picture:
    """Reads a picture that is opened already. Of more than 8 bits it does not say which values are black and white.

    Raises:
        InputError: The artifact takes other channels; it is too large.
    """
    _require_channels(shape)
    reading.require_size(*image.size)
    with bounded(reading):
        upright = ImageOps.exif_transpose(image)
        stored = depth.Stored(f"a picture of mode {image.mode}")
        return depth.picture_of(upright, stored) if upright.mode in depth.DEEP else _shallow(upright, stored)


def _require_channels(shape: tuple[int, int, int]) -> None:
    if shape[2] not in (1, 3):
        raise InputError(f"this artifact takes {shape[2]} channels, which come as an array of shape {shape}, .npy")


@contextmanager
def bounded(reading: Reading) -> Iterator[None]:
    """Pillow's bound on pixels, which is the whole process's, is ours meanwhile."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = reading.max_pixels
    try:
        yield
    except Image.DecompressionBombError as error:
        raise InputError(
            f"it has more than the {reading.max_pixels:,} pixels that are read: raise max_pixels of "
            "fgcompile.read_photos if you trust the file"
        ) from error
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _opened(file: BinaryIO) -> ImageFile:
    Image.init()
    known = [name for name in FORMATS if name in Image.OPEN]  # Pillow may be built without some
    try:
        return Image.open(file, formats=known)
    except UnidentifiedImageError as error:
        file.seek(0)
        if file.read(4) in _TIFF:
            raise InputError(
                "a damaged TIFF, or one of a layout that is not read, e.g. of many bands: convert it, or give an array "
                "of the artifact's shape, .npy"
            ) from error
        raise ValueError(f"it is none of {', '.join(known)}, DICOM, NPY, or damaged") from error


def _turn_to(image: ImageFile, reading: Reading) -> None:
    if reading.page == 1:
        return
    reading.require_size(*image.size)  # of an animation, frames before this one are decoded too
    try:
        image.seek(reading.page - 1)
    except EOFError:
        raise InputError(f"it has no page {reading.page}: give page= a smaller number") from None


def _shallow(image: Image.Image, stored: depth.Stored) -> Picture:
    """A picture of at most 8 bits."""
    limits = stored.limits or Limits(0, 255)
    alpha = None
    if image.has_transparency_data:
        if image.mode == "La":
            image = image.convert("LA")
        image = image.convert("RGBA")
        alpha = np.asarray(image.getchannel("A"))
    flat = image.convert("L" if image.mode in ("1", "L") else "RGB") if image.mode not in ("L", "RGB") else image
    samples = np.asarray(flat)
    return Picture(samples.reshape(*samples.shape[:2], -1), limits, stored.kind, alpha, whole=stored.whole)
