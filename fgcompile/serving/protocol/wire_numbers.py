"""The values of a tensor's ``contents``, which gRPC's clients may send in place of bytes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fgcompile.artifact.validation import Array
from fgcompile.errors import InputError
from fgcompile.serving.protocol.tensors import DTYPES
from fgcompile.serving.protocol.wire_bounds import BYTES, Fields, Span

CHUNK = 1 << 16
_FLOATS: dict[int, np.dtype[Any]] = {6: np.dtype("<f4"), 7: np.dtype("<f8")}
_FIELDS = {"BOOL": 1, "UINT64": 5, "FP32": 6, "FP64": 7, "INT64": 3}
_FIELDS |= dict.fromkeys(("INT8", "INT16", "INT32"), 2) | dict.fromkeys(("UINT8", "UINT16", "UINT32"), 4)
"""The field of ``InferTensorContents`` that has the values of a datatype."""


def read_contents(message: bytes, span: Span, name: str, datatype: str, shape: Sequence[int]) -> Array:
    """The values of a tensor.

    Raises:
        InputError: They are of another datatype, out of its range, or not as many as the shape says.
    """
    dtype, count, left = DTYPES[datatype], math.prod(shape), math.prod(shape)
    parts: list[Array] = [np.empty(0, dtype)]
    for number, kind, _, (begin, end) in Fields(message).walk(*span):
        if kind != BYTES or number != _FIELDS.get(datatype):
            raise InputError(f"{name} has contents that are not packed {datatype}: send raw_input_contents")
        data = np.frombuffer(message, np.uint8, end - begin, begin)
        left -= _count(data, number, name)
        if left < 0:
            break
        parts += [data.view(_FLOATS[number])] if number in _FLOATS else _read_varints(data, name, dtype)
    if left:
        raise InputError(f"{name} of shape {list(shape)} has not {count} elements: send all, and no more")
    return np.concatenate(parts).astype(dtype, copy=False).reshape(shape)


def _count(data: NDArray[np.uint8], number: int, name: str) -> int:
    """How many values there are: fixed in size, or each ending in a byte below 128."""
    if number not in _FLOATS:
        return int(np.count_nonzero(data < 0x80))
    count, rest = divmod(len(data), _FLOATS[number].itemsize)
    if rest:
        raise InputError(f"{name} has contents that end midway: send raw_input_contents")
    return count


def _read_varints(data: NDArray[np.uint8], name: str, dtype: np.dtype[Any]) -> list[Array]:
    """Whole numbers of up to ten bytes, seven bits in each, the last below 128."""
    parts, position = [], 0
    while position < len(data):
        chunk = data[position : position + CHUNK]
        last = np.flatnonzero(chunk < 0x80)
        if not len(last):
            raise InputError(f"{name} has contents that end midway: send raw_input_contents")
        chunk = chunk[: last[-1] + 1]
        position += len(chunk)
        parts.append(_in_range(_join_bits(chunk, last, name), name, dtype))
    return parts


def _join_bits(chunk: NDArray[np.uint8], last: NDArray[np.intp], name: str) -> NDArray[np.uint64]:
    first = np.concatenate([[0], last[:-1] + 1])
    lengths = last - first + 1
    if lengths.max() > 10:
        raise InputError(f"{name} has a number of more than ten bytes: send raw_input_contents")
    shifts = 7 * (np.arange(len(chunk)) - np.repeat(first, lengths))
    bits = (chunk & 0x7F).astype(np.uint64) << shifts.astype(np.uint64)
    return np.add.reduceat(bits, first)


def _in_range(values: NDArray[np.uint64], name: str, dtype: np.dtype[Any]) -> Array:
    wide: Array = values.view(np.int64) if dtype.kind == "i" else values
    cast = wide.astype(dtype)
    if (cast.astype(wide.dtype) != wide).any():
        raise InputError(f"{name} has values that are out of the range of {dtype}: send others")
    return cast
