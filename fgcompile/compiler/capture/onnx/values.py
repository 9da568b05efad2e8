"""What a value of an ONNX graph is while a module runs: a tensor, or numbers that are known without running it.

``Shape`` gives numbers, some of which are symbols (``torch.SymInt``) while a graph is traced; so do all sums, slices
and concatenations of them. NumPy arrays hold both: of the dtype that ONNX has, or of objects where there are symbols.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
import torch
from torch import Tensor

from fgcompile.compiler.capture.onnx.levels import Levels
from fgcompile.compiler.capture.onnx.places import Places
from fgcompile.compiler.ir.torch_internals import without_modes
from fgcompile.errors import UnsupportedOpError

Known = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Filled:
    """One number at all places of a shape that has symbols."""

    shape: tuple[Any, ...]
    number: Known


Value = Tensor | Known | Filled | Levels | Places | list[Any] | None
"""A list is a sequence of tensors; None is an optional input that is left out."""

_INTEGERS = {int, bool, np.bool_, np.int64, np.int32}
_NUMBERS = {*_INTEGERS, float, np.float32, np.float64}


def known(numbers: Any) -> Known:
    """Numbers, symbols among them or not, as an array: int64 or float32 where there are none, as ONNX has them."""
    array = np.array(numbers, dtype=object)
    kinds = {type(each) for each in array.flat}
    if kinds <= {bool, np.bool_}:
        return array.astype(np.bool_ if kinds else np.int64)
    if kinds <= _INTEGERS:
        return array.astype(np.int64)
    if kinds <= _NUMBERS:
        return array.astype(np.float32)
    return array


def is_symbolic(value: Any) -> bool:
    """Whether some of a known value's numbers are known only as symbols."""
    return isinstance(value, np.ndarray) and value.dtype == object


def as_tensor(value: Value) -> Tensor:
    """A value as a tensor. Symbols become elements that are computed from sizes.

    Raises:
        UnsupportedOpError: It is of text.
    """
    if isinstance(value, Tensor):
        return value
    if isinstance(value, Levels):
        return value.numbers()
    if isinstance(value, Places):
        return value.tensor()
    if isinstance(value, Filled):
        return as_tensor(value.number).expand(value.shape)
    if isinstance(value, list):
        raise UnsupportedOpError("the file has a sequence of tensors where fgcompile reads one tensor")
    assert isinstance(value, np.ndarray)
    if value.dtype.kind in "SU" or any(isinstance(each, str | bytes) for each in value.flat[:1]):
        raise UnsupportedOpError(
            "it computes with text, which has no gradient: explain something else, --explained NAME"
        )
    if not is_symbolic(value):
        # A copy where PyTorch could write into the file's own bytes.
        return shared(value if value.flags.writeable and value.flags.c_contiguous else value.copy())
    floating = any(isinstance(each, float | torch.SymFloat) for each in value.flat)
    truths = all(isinstance(each, bool | torch.SymBool) for each in value.flat)
    dtype = torch.float32 if floating else torch.bool if truths else torch.int64
    elements = [torch.full((), each, dtype=dtype) for each in value.flat]
    return torch.stack(elements).reshape(value.shape) if elements else torch.empty(value.shape, dtype=dtype)


def shared(array: Known) -> Tensor:
    """A tensor of the array's own bytes, which nobody may write into."""
    same_bytes = _BYTES.get(array.dtype.name)
    if same_bytes is not None:
        bits, dtype = same_bytes
        return shared(array.view(bits)).view(dtype)
    if array.dtype.name in _SHORT:  # of less than a byte: PyTorch does not compute with them
        array = array.astype(_SHORT[array.dtype.name])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*not writable", UserWarning)
        return torch.from_numpy(np.ascontiguousarray(array).reshape(array.shape))


_BYTES: dict[str, tuple[Any, torch.dtype]] = {
    "bfloat16": (np.int16, torch.bfloat16),
    "float8_e4m3fn": (np.uint8, torch.float8_e4m3fn),
    "float8_e5m2": (np.uint8, torch.float8_e5m2),
    "float8_e4m3fnuz": (np.uint8, torch.float8_e4m3fnuz),
    "float8_e5m2fnuz": (np.uint8, torch.float8_e5m2fnuz),
}
"""Dtypes that NumPy does not have itself: one of as many bytes, and PyTorch's."""

_SHORT = {"int4": np.int8, "uint4": np.uint8, "int2": np.int8, "uint2": np.uint8, "float4_e2m1fn": np.float32}

_OF_TORCH = {
    torch.bfloat16: (torch.int16, np.dtype(ml_dtypes.bfloat16)),
    torch.float8_e4m3fn: (torch.uint8, np.dtype(ml_dtypes.float8_e4m3fn)),
    torch.float8_e5m2: (torch.uint8, np.dtype(ml_dtypes.float8_e5m2)),
    torch.float8_e4m3fnuz: (torch.uint8, np.dtype(ml_dtypes.float8_e4m3fnuz)),
    torch.float8_e5m2fnuz: (torch.uint8, np.dtype(ml_dtypes.float8_e5m2fnuz)),
}


def as_known(value: Any) -> Any:
    """A result of known values alone, tensors as arrays."""
    if isinstance(value, Levels):
        return value.numbers().numpy().astype(value.dtype)
    if not isinstance(value, Tensor):
        return [as_known(each) for each in value] if isinstance(value, list) else value
    with without_modes():
        value = value.detach()
        if value.dtype in _OF_TORCH:
            bits, dtype = _OF_TORCH[value.dtype]
            return value.view(bits).numpy().view(dtype)
        return value.numpy()


def numbers(value: Known) -> Any:
    """The numbers of a known value as Python's, nested as its axes are."""
    return value.tolist()
