"""What a value of an ONNX graph is while a module runs: a tensor, or numbers that are known without running it.

``Shape`` gives numbers, some of which are symbols (``torch.SymInt``) while a graph is traced; so do all sums, slices
and concatenations of them. NumPy arrays hold both: of an integer or floating dtype, or of objects where there are
symbols.
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import torch
from torch import Tensor

Known = np.ndarray[Any, Any]
Value = Tensor | Known | None
"""None is an optional input that is left out."""


def known(numbers: Any) -> Known:
    """Numbers, symbols among them or not, as an array: int64 or float32 where there are none, as ONNX has them."""
    array = np.array(numbers, dtype=object)
    kinds = {type(each) for each in array.flat}
    if kinds <= {bool, np.bool_}:
        return array.astype(np.bool_ if kinds else np.int64)
    if kinds <= {int, bool, np.int64, np.int32}:
        return array.astype(np.int64)
    if kinds <= {int, float, np.float32, np.float64, np.int64}:
        return array.astype(np.float32)
    return array


def is_symbolic(value: Known) -> bool:
    """Whether some of the numbers are known only as symbols."""
    return bool(value.dtype == object)


def as_tensor(value: Value) -> Tensor:
    """A value as a tensor. Symbols become elements that are computed from sizes."""
    if isinstance(value, Tensor):
        return value
    assert value is not None
    if value.dtype == ml_dtypes.bfloat16:
        return torch.from_numpy(value.view(np.int16).copy()).view(torch.bfloat16)
    if not is_symbolic(value):
        # A copy where PyTorch could write into the file's own bytes.
        return torch.from_numpy(value if value.flags.writeable and value.flags.c_contiguous else value.copy())
    floating = any(isinstance(each, float | torch.SymFloat) for each in value.flat)
    dtype = torch.float32 if floating else torch.int64
    elements = [torch.full((), each, dtype=dtype) for each in value.flat]
    return torch.stack(elements).reshape(value.shape) if elements else torch.empty(value.shape, dtype=dtype)


def as_array(tensor: Tensor) -> Known:
    """A tensor as an array of the same dtype."""
    tensor = tensor.detach()
    if tensor.dtype == torch.bfloat16:
        return tensor.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return tensor.numpy()


def numbers(value: Known) -> Any:
    """The numbers of a known value as Python's, nested as its axes are."""
    return value.tolist()
