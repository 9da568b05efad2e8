"""Pictures and arrays as bytes, and as files that are whole or not there."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fgcompile.system.files import write_atomically


def png_of(image: Image.Image) -> bytes:
    """An image as PNG: not optimised, which takes ten times as long for a few hundredths of its bytes."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def write_png(image: Image.Image, path: Path) -> None:
    """Writes an image as PNG, whole or not at all."""
    write_atomically(path, png_of(image))


def write_npy(array: NDArray[Any], path: Path) -> None:
    """Writes an array as ``.npy``, whole or not at all."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    write_atomically(path, buffer.getvalue())
