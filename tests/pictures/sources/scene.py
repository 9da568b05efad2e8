"""A scene in any depth: the same picture, by the equation of its brightness, as bytes and as wider numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fgcompile.pictures.images import read_photo
from fgcompile.pictures.reading import Reading

SIDE = 16
BRIGHTNESS = np.linspace(0, 1, SIDE * SIDE).reshape(SIDE, SIDE, 1)
"""From black to white."""

BYTES = np.rint(255 * BRIGHTNESS).astype(np.uint8)


def scene(black: float, white: float, dtype: str) -> NDArray:
    """Brightness ``b`` as ``black + b (white - black)``, rounded where numbers are whole."""
    values = black + BRIGHTNESS * (white - black)
    return (values if np.dtype(dtype).kind == "f" else np.rint(values)).astype(dtype)


def read(content: bytes, folder: Path, channels: int = 1, **reading: object) -> NDArray[np.uint8]:
    """What becomes of a file of this content, in the scene's size."""
    (folder / "file").write_bytes(content)
    return read_photo(folder / "file", (SIDE, SIDE, channels), Reading(**reading))


def is_scene(photo: NDArray[np.uint8]) -> bool:
    """Whether it is the scene, to one of 255 levels."""
    return bool(np.abs(photo.astype(int) - BYTES).max() <= 1)
