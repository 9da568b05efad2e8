"""DICOM's tables (LUTs), PS3.3 C.11.1.1.1 and C.11.2.1.1: ``y = table[clip(x - first, 0, count - 1)]``.

pydicom's own reads a table of 8 bits with more than 256 entries modulo 256.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fgcompile.errors import InputError


def through_table(values: NDArray[Any], item: Any, little_endian: bool, signed: bool) -> tuple[NDArray[Any], int]:
    """What a table makes of whole numbers, and how many bits its entries have.

    Args:
        values: Stored ones, or those of the modality.
        item: The item of the sequence that holds the table.
        little_endian: How the file's words lie.
        signed: Whether values may be below zero, and so the first one too, whatever type the file gives it.

    Raises:
        InputError: The table is incomplete, or has other entries than it says.
    """
    count, first, bits = (int(value) for value in item.LUTDescriptor)
    count = count or 1 << 16
    if signed and first >= 1 << 15:
        first -= 1 << 16
    if not 8 <= bits <= 16:
        raise InputError(f"its table (LUT) has entries of {bits} bits: convert it first")
    entries = _entries(item.LUTData, count, bits, little_endian)
    if len(entries) < count or int(entries[:count].max()) >= 1 << bits:
        raise InputError("its table (LUT) has not the entries that it says: convert it first")
    places = np.clip(values.astype(np.int64) - first, 0, count - 1)
    return entries[places], bits


def _entries(data: Any, count: int, bits: int, little_endian: bool) -> NDArray[np.uint16]:
    if not isinstance(data, bytes):
        return np.asarray(data, np.int64).reshape(-1).astype(np.uint16)
    if bits == 8 and len(data) == count + count % 2:  # a byte for each entry, and one to make them even
        return np.frombuffer(data, np.uint8).astype(np.uint16)
    words = np.frombuffer(data[: len(data) // 2 * 2], "<u2" if little_endian else ">u2")
    return words.astype(np.uint16)
