"""Pictures and arrays as bytes, and as files that are whole or not there."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fgcompile.system.files import write_atomically

_SOFTWARE = "Software", "fgcompile"
"""What PNG says of the program that wrote it, a chunk of text right behind the header."""

_HEAD = b"\x89PNG\r\n\x1a\n"
_BEHIND_HEADER = len(_HEAD) + 25 + 4
"""Where that chunk's name is: behind the signature, the header of 25 bytes, and the chunk's length."""


def png_of(image: Image.Image) -> bytes:
    """An image as PNG: not optimised, which takes ten times as long for a few hundredths of its bytes."""
    buffer, told = io.BytesIO(), PngInfo()
    told.add_text(*_SOFTWARE)
    image.save(buffer, "PNG", pnginfo=told)
    return buffer.getvalue()


def is_own(path: str | Path) -> bool:
    """Whether a file is a PNG that ``png_of`` made, which says so itself; of what cannot be read, no."""
    chunk = b"tEXt" + b"\0".join(each.encode() for each in _SOFTWARE)
    try:
        with open(path, "rb") as file:
            head = file.read(_BEHIND_HEADER + len(chunk))
    except OSError:
        return False
    return head.startswith(_HEAD) and head.endswith(chunk)


def write_png(image: Image.Image, path: Path) -> None:
    """Writes an image as PNG, whole or not at all."""
    write_atomically(path, png_of(image))


def write_npy(array: NDArray[Any], path: Path) -> None:
    """Writes an array as ``.npy``, whole or not at all."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    write_atomically(path, buffer.getvalue())
