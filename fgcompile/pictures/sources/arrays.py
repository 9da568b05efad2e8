"""``.npy`` files: arrays of the artifact's own shape, ``(H, W, C)``, with any number of channels."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from fgcompile.errors import InputError
from fgcompile.pictures.picture import Limits, Picture
from fgcompile.pictures.reading import TILE, WHOLE, Reading

MAGIC = np.lib.format.MAGIC_PREFIX
"""The first bytes of such a file."""

_LIMITS = {
    "|b1": Limits(0, 1),
    "|u1": Limits(0, 255),
    "|i1": Limits(-128, 127, stored=True),
    "u2": Limits(0, 65535, stored=True),
    "i2": Limits(-32768, 32767, stored=True),
}
"""What a dtype says of its values; wider integers and floats say nothing."""


def read(file: BinaryIO, shape: tuple[int, int, int], reading: Reading) -> Picture:
    """Reads an array whose header has that shape; where C = 1, ``(H, W)`` will do, and whole pictures have any size.

    Raises:
        InputError: It has another shape, or no real numbers.
    """
    read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    version = np.lib.format.read_magic(file)
    if version not in read_header:
        raise InputError("arrays are read in the versions 1.0 and 2.0 of the format .npy: save it with numpy.save")
    found, by_columns, dtype = read_header[version](file)
    if reading.fit in (WHOLE, TILE) and len(found) > 1:
        shape = (found[0], found[1], shape[2])
    wanted = (shape, shape[:2]) if shape[2] == 1 else (shape,)
    if found not in wanted:
        raise InputError(f"an array of shape {found}, and this artifact takes {shape}: height, width, channels")
    if dtype.kind not in "buif":
        raise InputError(f"an array of {dtype}: give real numbers, as uint8")
    if reading.page > 1:
        raise InputError(f"an array has one page: leave out page={reading.page}")
    reading.require_size(int(shape[1]), int(shape[0]))
    content = file.read(int(np.prod(shape)) * dtype.itemsize)
    samples = np.frombuffer(content, dtype).reshape(found, order="F" if by_columns else "C").reshape(shape)
    if dtype.kind == "b":
        samples = samples.view(np.uint8)
    limits = _LIMITS.get(dtype.str) or _LIMITS.get(dtype.str[1:])
    return Picture(samples, limits, f"an array of {dtype.newbyteorder('=')}", prepared=True)
