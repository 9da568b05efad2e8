"""Picture files written byte by byte, so that what they hold is known without the library that reads them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Tags = Mapping[int, tuple[str, Sequence[float]]]
"""Of TIFF: a tag's type, as ``struct`` names it, and its values."""

_COLORS = {1: 0, 2: 4, 3: 2, 4: 6}
_TYPES = {"B": 1, "s": 2, "H": 3, "I": 4, "b": 6, "h": 8, "i": 9, "f": 11, "d": 12}


def png(samples: NDArray[Any], chunks: Sequence[tuple[bytes, bytes]] = ()) -> bytes:
    """A PNG of uint8 or uint16 samples ``(H, W, C)``: grey, grey and alpha, RGB, RGBA; ``chunks`` before the pixels."""
    height, width, channels = samples.shape
    bits = 8 * samples.dtype.itemsize
    rows = samples.astype(samples.dtype.newbyteorder(">")).reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, bits, _COLORS[channels], 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    parts = [(b"IHDR", header), *chunks, (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, parts))


def _chunk(part: tuple[bytes, bytes]) -> bytes:
    name, content = part
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def tiff(samples: NDArray[Any], tags: Tags | None = None, order: str = "<") -> bytes:
    """A TIFF of one uncompressed strip.

    Args:
        samples: ``(H, W, C)``.
        tags: Beside those of the size and the samples, or in place of them.
        order: ``"<"`` or ``">"``.
    """
    height, width, channels = samples.shape
    pixels = samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    entries: dict[int, tuple[str, Sequence[float]]] = {
        256: ("I", [width]),
        257: ("I", [height]),
        258: ("H", [8 * samples.dtype.itemsize] * channels),
        259: ("H", [1]),
        262: ("H", [1 if channels < 3 else 2]),
        273: ("I", [8]),
        277: ("H", [channels]),
        278: ("I", [height]),
        279: ("I", [len(pixels)]),
        339: ("H", [{"u": 1, "i": 2, "f": 3}[samples.dtype.kind]] * channels),
        **(tags or {}),
    }
    body, directory = bytearray(pixels), b""
    for tag, (type, values) in sorted(entries.items()):
        content = struct.pack(f"{order}{len(values)}{type}", *values)
        if len(content) > 4:
            body += b"\0" * (len(body) % 2)
            place = struct.pack(f"{order}I", 8 + len(body))
            body += content
        else:
            place = content.ljust(4, b"\0")
        directory += struct.pack(f"{order}HHI", tag, _TYPES[type], len(values)) + place
    body += b"\0" * (len(body) % 2)
    magic = b"II*\0" if order == "<" else b"MM\0*"
    start = struct.pack(f"{order}I", 8 + len(body))
    return magic + start + bytes(body) + struct.pack(f"{order}H", len(entries)) + directory + b"\0" * 4


def pgm(samples: NDArray[np.uint16], maxval: int) -> bytes:
    """A binary PGM of samples ``(H, W, 1)``."""
    height, width, _ = samples.shape
    return f"P5 {width} {height} {maxval}\n".encode() + samples.astype(">u2" if maxval > 255 else "u1").tobytes()


Elements = Mapping[tuple[int, int], tuple[str, str | int]]
"""Of DICOM: VR and value by tag."""


def dicom(samples: NDArray[Any], elements: Elements | None = None, deflated: bool = False) -> bytes:
    """A DICOM file in explicit little endian.

    Args:
        samples: ``(H, W, C)`` of 8 or 16 bits, or ``(frames, H, W, 1)``.
        elements: Beside those of the size and the samples, or in place of them.
        deflated: Whether all but the first elements are compressed.
    """
    frames, (height, width, channels) = len(samples) if samples.ndim == 4 else 1, samples.shape[-3:]
    bits, signed = 8 * samples.dtype.itemsize, samples.dtype.kind == "i"
    described: dict[tuple[int, int], tuple[str, str | int]] = {
        (0x0028, 0x0002): ("US", channels),
        (0x0028, 0x0004): ("CS", "MONOCHROME2" if channels == 1 else "RGB"),
        (0x0028, 0x0008): ("IS", str(frames)),
        (0x0028, 0x0010): ("US", height),
        (0x0028, 0x0011): ("US", width),
        (0x0028, 0x0100): ("US", bits),
        (0x0028, 0x0101): ("US", bits),
        (0x0028, 0x0102): ("US", bits - 1),
        (0x0028, 0x0103): ("US", int(signed)),
        **({(0x0028, 0x0006): ("US", 0)} if channels > 1 else {}),
        **(elements or {}),
    }
    meta = _element((2, 0x10), "UI", f"1.2.840.10008.1.2.1{'.99' * deflated}")
    head = b"\0" * 128 + b"DICM" + _element((2, 0), "UL", len(meta)) + meta
    pixels = samples.astype(samples.dtype.newbyteorder("<")).tobytes()
    pixels += b"\0" * (len(pixels) % 2)
    last = struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW" if bits > 8 else b"OB", 0, len(pixels)) + pixels
    body = b"".join(_element(tag, *value) for tag, value in sorted(described.items())) + last
    return head + (zlib.compress(body, wbits=-15) if deflated else body)


def _element(tag: tuple[int, int], representation: str, value: str | int) -> bytes:
    if isinstance(value, int):
        content = struct.pack("<I" if representation == "UL" else "<H", value)
    else:
        content = value.encode() + (b"\0" if representation == "UI" else b" ") * (len(value) % 2)
    return struct.pack("<HH2sH", *tag, representation.encode(), len(content)) + content
