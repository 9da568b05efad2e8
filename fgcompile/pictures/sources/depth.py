"""How deep a picture's samples are, and which of them are black and white: what each format says of it.

| file | Pillow's mode | black and white |
| --- | --- | --- |
| TIFF | ``I;16``, ``I``, ``F`` | SMinSampleValue and SMaxSampleValue; else MinSampleValue (0) and MaxSampleValue; else, of up to 16 bits, BitsPerSample; inverted where PhotometricInterpretation is WhiteIsZero |
| PNG | ``I;16`` | 16 bits; those of sBIT, where the samples are not shifted up as the standard wants |
| PGM, of digits | ``I`` | 0 and maxval; Pillow stretches them to 65535. The binary ones are in ``netpbm`` |
| JPEG 2000 | ``I;16`` | 16 bits; Pillow shifts fewer up |
| any, in colour | ``RGB``, ``RGBA``, ``CMYK`` | the upper byte of 16 bits |
"""  # noqa: E501 - a table

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image
from PIL.ImageFile import ImageFile

from fgcompile.errors import InputError
from fgcompile.pictures.picture import Limits, Picture

DEEP = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
"""Pillow's modes with more than 8 bits: one channel each."""

_BITS, _PHOTOMETRIC, _FORMAT = 258, 262, 339
_LEAST, _LARGEST = (340, 280), (341, 281)  # SMin-, MinSampleValue; SMax-, MaxSampleValue
_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3
_MOST_CHUNKS = 1000


@dataclass(frozen=True)
class Stored:
    """What is known of the samples before they are read.

    Attributes:
        kind: For messages.
        limits: None where the file says nothing, or where it has 8 bits.
        rescale: From the samples that Pillow gives to the file's own.
        dtype: What they are, where Pillow takes them for another.
        significant: PNG's sBIT: so many bits of each sample mean something.
        whole: As of ``Picture``.
    """

    kind: str
    limits: Limits | None = None
    rescale: tuple[float, float] = (1.0, 0.0)
    dtype: str | None = None
    significant: int | None = None
    whole: bool = True


def of(image: ImageFile, file: BinaryIO) -> Stored:
    """What a file that is open, its page chosen and not loaded yet, says of its samples.

    Raises:
        InputError: Its samples mean something that Pillow does not keep.
    """
    name = str(image.format)
    if name == "TIFF":
        _require_unsigned(image)
    if image.mode not in DEEP:
        return _upper_bytes(image) if _is_wide(image) else Stored(f"a {name}")
    readers = {"TIFF": _of_tiff, "PNG": _of_png, "PPM": _of_ppm, "JPEG2000": _of_jpeg2000}
    if name not in readers:
        raise InputError(f"a {name} of more than 8 bits is not read: convert it to PNG or TIFF")
    return readers[name](image, file)


def picture_of(image: Image, stored: Stored) -> Picture:
    """A picture in one of the modes ``DEEP``."""
    samples = np.asarray(image)
    if stored.dtype is not None:
        samples = samples.view(stored.dtype)
    hidden = image.info.get("transparency")
    alpha = None if hidden is None else np.where(samples == hidden, 0, 255).astype(np.uint8)
    limits = stored.limits
    if stored.significant is not None:
        limits = _by_significance(samples, stored.significant)
    return Picture(samples[..., np.newaxis], limits, stored.kind, alpha, stored.rescale)


def _by_significance(samples: NDArray[Any], bits: int) -> Limits:
    """Of 16 bits of which so many count: the standard has them above, with copies or zeros below; many do not shift."""
    below = samples.max() < 1 << bits and bool((samples & (1 << 16 - bits) - 1).any())
    return Limits(0, (1 << bits) - 1 if below else 65535)


def _is_wide(image: ImageFile) -> bool:
    """Whether Pillow drops the lower bytes of samples of 16 bits, to judge by what its decoder is told."""
    return any(";16" in str(tile[3]) or tile[0] == "SGI16" for tile in image.tile)


def _upper_bytes(image: ImageFile) -> Stored:
    kind = f"a {image.format} of 16 bits a channel"
    if image.info.get("transparency") is not None:
        raise InputError(f"{kind} with a transparent colour is not read: convert it to 8 bits")
    if image.format == "TIFF" and (_first(image, *_LARGEST) or 65535) != 65535:
        raise InputError(f"{kind} whose white is {_first(image, *_LARGEST):g} is not read: convert it to 8 bits")
    return Stored(kind, Limits(0, 255, stored=True), whole=False)


def _of_tiff(image: ImageFile, _: BinaryIO) -> Stored:
    bits, format = _of_tag(image, _BITS, 1), _of_tag(image, _FORMAT, _UNSIGNED)
    kind = f"a TIFF of {bits:g}-bit {'floats' if format == _FLOAT else 'integers'}"
    inverted = _of_tag(image, _PHOTOMETRIC, 1) == 0
    ends = (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1) if format == _SIGNED else (0.0, 2.0**bits - 1)
    black, white = _first(image, *_LEAST), _first(image, *_LARGEST)
    limits = None
    if white is not None:
        limits = Limits(ends[0] if black is None else black, white, inverted)
    elif bits <= 16:
        limits = Limits(ends[0], ends[1], inverted, stored=bits == 16)
    # Pillow reads unsigned numbers of 32 bits as signed ones.
    return Stored(kind, limits, dtype="uint32" if (bits, format, image.mode) == (32, _UNSIGNED, "I") else None)


def _of_png(image: ImageFile, file: BinaryIO) -> Stored:
    return Stored("a PNG of 16 bits", Limits(0, 65535, stored=True), significant=_significant_bits(file))


def _of_ppm(image: ImageFile, _: BinaryIO) -> Stored:
    if image.mode == "F":
        return Stored("a PFM of floats")
    arguments = image.tile[0][3]
    maxval = int(arguments[-1]) if isinstance(arguments, tuple) else 65535
    return Stored(f"a PGM with maxval {maxval}", Limits(0, maxval, stored=maxval == 65535), (maxval / 65535, 0.0))


def _of_jpeg2000(image: ImageFile, _: BinaryIO) -> Stored:
    return Stored("a JPEG 2000 of up to 16 bits", Limits(0, 65535, stored=True))


def _require_unsigned(image: ImageFile) -> None:
    if image.mode not in DEEP and _of_tag(image, _FORMAT, _UNSIGNED) == _SIGNED:
        raise InputError("a TIFF of signed 8-bit integers is not read: convert it to unsigned ones")


def _significant_bits(file: BinaryIO) -> int | None:
    """The bits of PNG's chunk sBIT, which stands before the pixels; the file is left where it was."""
    place = file.tell()
    try:
        file.seek(8)
        for _ in range(_MOST_CHUNKS):
            head = file.read(8)
            if len(head) < 8 or head[4:] in (b"IDAT", b"IEND"):
                return None
            (length,) = struct.unpack(">I", head[:4])
            if head[4:] == b"sBIT" and length == 1:
                bits = int.from_bytes(file.read(1), "big")
                return bits if 0 < bits < 16 else None
            file.seek(length + 4, 1)
        return None
    finally:
        file.seek(place)


def _first(image: ImageFile, *tags: int) -> float | None:
    """The first of these tags that a TIFF has."""
    found = [_of_tag(image, tag, None) for tag in tags]
    return next((value for value in found if value is not None), None)


def _of_tag(image: ImageFile, tag: int, otherwise: Any) -> Any:
    """A number of a TIFF's, the first where there is one for each channel."""
    value = image.tag_v2.get(tag)  # type: ignore[attr-defined]
    if isinstance(value, tuple):
        value = value[0] if value else None
    return otherwise if value is None else float(value)
