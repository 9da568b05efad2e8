"""The kinds of picture files, each with the same scene, or with one in colour, or with what nothing can be made of."""

from __future__ import annotations

import io
import pkgutil
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.pictures.files import dicom, pgm, png, tiff

SIDE = 32
GREY = np.rint(np.linspace(0, 255, SIDE * SIDE)).astype(np.uint8).reshape(SIDE, SIDE, 1)
"""The scene, from black to white."""

COLOR = np.concatenate([GREY, GREY[::-1], GREY.transpose(1, 0, 2)], 2)
"""The scene in colour."""

CLEAR = np.clip(GREY.transpose(1, 0, 2) * 2.0, 0, 255).astype(np.uint8)
"""A transparency that lets the background through on one side."""

_OVER = np.rint(CLEAR / 255 * COLOR + (255.0 - CLEAR)).astype(np.uint8)
"""The scene in colour over white."""


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        name: For the table.
        write: Makes its bytes.
        expected: uint8 ``(H, W, 3)`` of what is to be read, None where it is to be refused.
        tolerance: Levels of 255 that a lossy format may be off.
        options: Of ``Reading``.
    """

    name: str
    write: Callable[[], bytes]
    expected: NDArray[np.uint8] | None = None
    tolerance: int = 1
    options: dict[str, Any] = field(default_factory=dict)


def _grey(name: str, write: Callable[[], bytes], tolerance: int = 1, **options: Any) -> Kind:
    return Kind(name, write, np.repeat(GREY, 3, 2), tolerance, options)


def _color(name: str, write: Callable[[], bytes], tolerance: int = 1, **options: Any) -> Kind:
    return Kind(name, write, COLOR, tolerance, options)


def _scene(black: float, white: float, dtype: str) -> NDArray[Any]:
    values = black + GREY / 255 * (white - black)
    return (values if dtype[-2] == "f" else np.rint(values)).astype(dtype)


def _by_pillow(pixels: NDArray[np.uint8], format: str, mode: str | None = None, **options: Any) -> Callable[[], bytes]:
    def write() -> bytes:
        image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
        buffer = io.BytesIO()
        (image.convert(mode) if mode else image).save(buffer, format, **options)
        return buffer.getvalue()

    return write


def _by_pydicom(name: str) -> Callable[[], bytes]:
    """One of ``benchmarks.pictures.dicom``, which is imported where it is made: it needs pydicom."""
    return lambda: pkgutil.resolve_name(f"benchmarks.pictures.dicom:{name}")(GREY)


def _array(array: NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _of_pages() -> bytes:
    buffer = io.BytesIO()
    first, second = (Image.fromarray(pixels[..., 0]) for pixels in (255 - GREY, GREY))
    first.save(buffer, "TIFF", save_all=True, append_images=[second])
    return buffer.getvalue()


def _bomb() -> bytes:
    """A PNG of 8000 by 8000 grey pixels in 62 kB."""
    header = struct.pack(">IIBBBBB", 8000, 8000, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(8001 * 8000), 9)
    parts = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    chunks = [
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in parts
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _huge() -> bytes:
    content = png(GREY)
    header = struct.pack(">II", 100_000, 100_000) + content[24:29]
    return content[:16] + header + struct.pack(">I", zlib.crc32(b"IHDR" + header)) + content[33:]


_DEEP, _TWELVE = _scene(0, 65535, "<u2"), _scene(0, 4095, "<u2")
_STORED = {(0x28, 0x101): ("US", 12), (0x28, 0x102): ("US", 11)}
_WINDOW = {(0x28, 0x1050): ("DS", "400"), (0x28, 0x1051): ("DS", "2000"), (0x28, 0x1052): ("DS", "-1024")}
_MONOCHROME1 = {(0x28, 4): ("CS", "MONOCHROME1")}
_PALETTE = Image.fromarray(COLOR).quantize(64)


def _of_palette() -> bytes:
    buffer = io.BytesIO()
    _PALETTE.save(buffer, "PNG")
    return buffer.getvalue()


KINDS = (
    _grey("PNG, grey", lambda: png(GREY)),
    _color("PNG, colour", lambda: png(COLOR)),
    Kind("PNG, transparent", lambda: png(np.concatenate([COLOR, CLEAR], 2)), _OVER),
    _grey("PNG, 16 bits", lambda: png(_DEEP)),
    _grey("PNG, 12 bits of 16 by sBIT", lambda: png(_TWELVE, [(b"sBIT", b"\x0c")])),
    Kind("PNG, 12 bits of 16, unsaid", lambda: png(_TWELVE)),
    _grey("the same, with `--window 0,4095`", lambda: png(_TWELVE), window=(0, 4095)),
    _color("PNG, 16 bits, colour", lambda: png(257 * COLOR.astype("u2"))),
    Kind("PNG, palette", _of_palette, np.asarray(_PALETTE.convert("RGB"))),
    _grey("APNG", _by_pillow(GREY, "PNG", save_all=True, append_images=[Image.fromarray(255 - GREY[..., 0])])),
    _color("JPEG", _by_pillow(COLOR, "JPEG", quality=95), 40),
    Kind("JPEG, CMYK, inverted by Adobe", _by_pillow(COLOR, "JPEG", "CMYK", quality=95), COLOR, 40),
    _color(
        "JPEG, progressive, with EXIF", _by_pillow(COLOR, "JPEG", quality=95, progressive=True, exif=Image.Exif()), 40
    ),
    _color("JPEG 2000", _by_pillow(COLOR, "JPEG2000", irreversible=False)),
    _color("TIFF, colour, LZW", _by_pillow(COLOR, "TIFF", compression="tiff_lzw")),
    _color("TIFF, JPEG inside", _by_pillow(COLOR, "TIFF", compression="jpeg", quality=95), 60),
    _grey("TIFF, 16 bits", lambda: tiff(_DEEP)),
    _grey("TIFF, 16 bits, big endian", lambda: tiff(_DEEP, order=">")),
    _grey("TIFF, 16 bits, white is zero", lambda: tiff(65535 - _DEEP, {262: ("H", [0])})),
    _grey("TIFF, 12 bits of 16 by MaxSampleValue", lambda: tiff(_TWELVE, {281: ("H", [4095])})),
    Kind("TIFF, 12 bits of 16, unsaid", lambda: tiff(_TWELVE)),
    _grey(
        "TIFF, floats with SMin/SMaxSampleValue",
        lambda: tiff(_scene(-1, 1, "<f4"), {340: ("f", [-1.0]), 341: ("f", [1.0])}),
    ),
    Kind("TIFF, floats, unsaid", lambda: tiff(_scene(0, 1, "<f4"))),
    _grey("the same, with `--window 0,1`", lambda: tiff(_scene(0, 1, "<f4")), window=(0, 1)),
    Kind("TIFF, 32-bit integers, unsaid", lambda: tiff(_scene(0, 9e4, "<i4"))),
    _color("TIFF, 16 bits, colour", lambda: tiff(257 * COLOR.astype("u2"))),
    Kind("TIFF, five bands", lambda: tiff(np.repeat(GREY, 5, 2), {262: ("H", [1]), 338: ("H", [0] * 4)})),
    _grey("TIFF, the second page, with `--page 2`", _of_pages, page=2),
    _grey("PGM, maxval 4095", lambda: pgm(_TWELVE, 4095)),
    _color("PPM, 16 bits", lambda: b"P6 32 32 65535\n" + (257 * COLOR.astype(">u2")).tobytes()),
    Kind("PFM, floats, unsaid", lambda: b"Pf\n32 32\n-1.0\n" + _scene(0, 1, "<f4").tobytes()),
    _color("GIF", _by_pillow(COLOR, "GIF"), 40),
    _color("WebP", _by_pillow(COLOR, "WEBP", lossless=True)),
    _color("AVIF", _by_pillow(COLOR, "AVIF", quality=95), 40),
    _color("BMP", _by_pillow(COLOR, "BMP")),
    _color("ICO", _by_pillow(COLOR, "ICO", sizes=[(SIDE, SIDE)])),
    _color("TGA", _by_pillow(COLOR, "TGA")),
    _color("PCX", _by_pillow(COLOR, "PCX")),
    _color("SGI", _by_pillow(COLOR, "SGI")),
    _color("array, `.npy`", lambda: _array(COLOR)),
    _color("array, 16 bits", lambda: _array(257 * COLOR.astype("u2"))),
    Kind("array, floats, unsaid", lambda: _array(COLOR / 255)),
    Kind("array of another shape", lambda: _array(GREY)),
    _grey("DICOM, 16 bits", lambda: dicom(_DEEP)),
    _grey("DICOM, 12 bits of 16 by BitsStored", lambda: dicom(_TWELVE, _STORED)),
    _grey("DICOM, white is zero", lambda: dicom(4095 - _TWELVE, {**_STORED, **_MONOCHROME1})),
    _grey("DICOM, rescaled, with a window", lambda: dicom(_scene(424, 2423, "<u2"), {**_STORED, **_WINDOW})),
    Kind("DICOM, 12 bits of 16, unsaid", lambda: dicom(_TWELVE)),
    Kind("DICOM, deflated", lambda: dicom(GREY, deflated=True)),
    _grey("DICOM, through a table (VOI LUT)", _by_pydicom("through_a_table")),
    _grey("DICOM, enhanced, the second frame, with `--page 2`", _by_pydicom("with_groups"), page=2),
    _grey("DICOM, run lengths", _by_pydicom("run_lengths")),
    _grey("DICOM, JPEG 2000 inside", _by_pydicom("as_jpeg_2000")),
    Kind("DICOM, lossless JPEG inside", _by_pydicom("lossless_jpeg")),
    Kind("EPS, a program", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"),
    Kind("a PNG that says 100000 by 100000", _huge),
    Kind("64 million black pixels in 62 kB", _bomb, np.zeros((SIDE, SIDE, 3), np.uint8)),
    Kind("text", lambda: b"no picture\n" * 9),
    Kind("nothing", bytes),
)
