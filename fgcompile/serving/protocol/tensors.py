"""The protocol's tensors as NumPy's arrays: datatypes, shapes, bytes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fgcompile.artifact.metadata import TensorSpec
from fgcompile.artifact.validation import Array
from fgcompile.errors import InputError
from fgcompile.serving.protocol import texts

DTYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype(np.uint8),
    "UINT16": np.dtype(np.uint16),
    "UINT32": np.dtype(np.uint32),
    "UINT64": np.dtype(np.uint64),
    "INT8": np.dtype(np.int8),
    "INT16": np.dtype(np.int16),
    "INT32": np.dtype(np.int32),
    "INT64": np.dtype(np.int64),
    "FP16": np.dtype(np.float16),
    "FP32": np.dtype(np.float32),
    "FP64": np.dtype(np.float64),
}
"""NumPy's dtype for each datatype of numbers; ``BF16``, which no artifact takes, is not there."""

DATATYPES = {dtype: name for name, dtype in DTYPES.items()} | {texts.DTYPE: texts.DATATYPE}

AXES = 32
"""More than any artifact takes, and fewer than NumPy allows."""

_LARGEST = 2**62


def to_dtype(name: str, datatype: str) -> np.dtype[Any]:
    """The dtype of a tensor.

    Raises:
        InputError: No artifact takes it.
    """
    if datatype not in DTYPES:
        raise InputError(f"{name} has the datatype {datatype!r}, which no artifact takes: send numbers")
    return DTYPES[datatype]


def check_shape(name: str, shape: Sequence[object]) -> tuple[int, ...]:
    """A shape whose sizes are counts.

    Raises:
        InputError: They are not, there are too many, or too many elements to count.
    """
    if len(shape) > AXES:
        raise InputError(f"{name} has {len(shape)} axes, {AXES} are allowed: send a tensor that the artifact takes")
    sizes = tuple(size for size in shape if isinstance(size, int) and not isinstance(size, bool) and size >= 0)
    if len(sizes) != len(shape) or math.prod(max(size, 1) for size in sizes) > _LARGEST:
        raise InputError(f"{name} has the shape {list(shape)}: give its sizes as numbers that are not negative")
    return sizes


def from_bytes(name: str, datatype: str, shape: Sequence[object], raw: memoryview) -> Array:
    """A tensor that was sent as bytes, little-endian and row by row.

    Raises:
        InputError: Datatype, shape and bytes do not fit each other.
    """
    sizes = check_shape(name, shape)
    if datatype == texts.DATATYPE:
        return texts.from_raw(raw, name, sizes)
    dtype = to_dtype(name, datatype)
    expected = math.prod(sizes) * dtype.itemsize
    if len(raw) != expected:
        raise InputError(
            f"{name} of shape {list(sizes)} has {len(raw)} bytes, {expected} are due: send all, and no more"
        )
    # Anything but 0 and 1 is no boolean, and what a runtime makes of it nobody says.
    if dtype == np.bool_ and (np.frombuffer(raw, np.uint8) > 1).any():
        raise InputError(f"{name} has bytes that are not BOOL: send 0 and 1")
    # Where an array begins in memory decides the order of a runtime's sums: a copy has the bits of anybody's array.
    return np.frombuffer(raw, dtype).reshape(sizes).copy()


def describe(spec: TensorSpec) -> dict[str, Any]:
    """An input or output as the protocol describes tensors."""
    return {
        "name": spec["name"],
        "datatype": DATATYPES[np.dtype(spec["dtype"])],
        "shape": [size if isinstance(size, int) else -1 for size in spec["shape"]],
    }
