"""Changes of dtype, of tensors and of known numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from onnx import TensorProto
from torch import Tensor

from fgcompile.compiler.capture.onnx.operators.elementwise import by_element
from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.compiler.capture.onnx.symbols import integer, real
from fgcompile.compiler.capture.onnx.values import Known, as_known, as_tensor, is_symbolic
from fgcompile.compiler.ir.torch_internals import without_modes
from fgcompile.errors import UnsupportedOpError

DTYPES: dict[int, torch.dtype] = {
    TensorProto.FLOAT: torch.float32,
    TensorProto.DOUBLE: torch.float64,
    TensorProto.FLOAT16: torch.float16,
    TensorProto.BFLOAT16: torch.bfloat16,
    TensorProto.INT8: torch.int8,
    TensorProto.INT16: torch.int16,
    TensorProto.INT32: torch.int32,
    TensorProto.INT64: torch.int64,
    TensorProto.UINT8: torch.uint8,
    TensorProto.UINT16: torch.uint16,
    TensorProto.UINT32: torch.uint32,
    TensorProto.UINT64: torch.uint64,
    TensorProto.BOOL: torch.bool,
}
"""PyTorch's dtypes by ONNX's."""


def dtype_of(number: int) -> torch.dtype:
    """A dtype by ONNX's number.

    Raises:
        UnsupportedOpError: PyTorch does not compute in it.
    """
    if number not in DTYPES:
        raise UnsupportedOpError(f"it makes values of the type {TensorProto.DataType.Name(number)}, which are not read")
    return DTYPES[number]


def cast(x: Tensor, *, to: int, saturate: int = 1, round_mode: str = "up") -> Tensor:
    """``saturate`` and ``round_mode`` are for types of 8 bits, which are refused."""
    return x.to(dtype_of(to))


def cast_numbers(x: Known, *, to: int, saturate: int = 1, round_mode: str = "up") -> Known:
    return _as(x, dtype_of(to))


def cast_like(x: Any, like: Any, *, saturate: int = 1, round_mode: str = "up") -> Any:
    """``x`` in the dtype of another; numbers that are known stay so."""
    dtype = as_tensor(like).dtype
    if not isinstance(x, np.ndarray):
        return as_tensor(x).to(dtype)
    if is_symbolic(x):
        return _as(x, dtype)
    with without_modes():
        return as_known(as_tensor(x).to(dtype))


def _as(x: Known, dtype: torch.dtype) -> Known:
    return by_element(lambda each: _number(each, dtype), x)


def _number(number: Any, dtype: torch.dtype) -> Any:
    if dtype is torch.bool:
        return number != 0
    return real(number) if dtype.is_floating_point else integer(number)


CASTS: dict[str, Operator] = {
    "Cast": Operator(cast, on_numbers=cast_numbers),
    "CastLike": Operator(cast_like, on_numbers=cast_like, either=("x", "like")),
}
