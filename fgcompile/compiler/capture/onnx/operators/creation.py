"""Tensors that are made of nothing, of numbers, or of indices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from torch import Tensor
from torch.nn import functional

from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.compiler.capture.onnx.places import Count, Found
from fgcompile.compiler.capture.onnx.values import Filled, Known, as_tensor
from fgcompile.errors import UnsupportedOpError


def constant(
    *,
    value: Known | None = None,
    value_float: float | None = None,
    value_floats: Sequence[float] | None = None,
    value_int: int | None = None,
    value_ints: Sequence[int] | None = None,
    value_string: str | None = None,
    value_strings: Sequence[str] | None = None,
) -> Known:
    """The one attribute that is given, as an array."""
    if value is not None:
        return value
    floats = value_float if value_float is not None else value_floats
    if floats is not None:
        return np.array(floats, np.float32)
    integers = value_int if value_int is not None else value_ints
    if integers is not None:
        return np.array(integers, np.int64)
    return np.array(value_string if value_string is not None else value_strings, object)


def range_(start: Any, limit: Any, delta: Any) -> Tensor:
    """``start, start + delta, …`` before ``limit``."""
    floating = any(isinstance(each, float | torch.SymFloat) for each in (start, limit, delta))
    return torch.arange(start, limit, delta, dtype=torch.float32 if floating else torch.int64)


def range_known(start: Any, limit: Any, delta: Any) -> Any:
    values = [each.reshape(()) if isinstance(each, np.ndarray) else each for each in (start, limit, delta)]
    if any(isinstance(each, Tensor) for each in values):
        raise UnsupportedOpError("takes its ends from values that are computed: one graph needs them constant")
    first, last, step = (each.item() for each in values)
    if isinstance(last, torch.SymInt) and isinstance(first, int) and (first, step) == (0, 1):
        return Count((last,))
    if any(each.dtype == object for each in values):
        return range_(first, last, step)
    return np.arange(first, last, step).astype(values[0].dtype)


def eye_like(x: Tensor, *, dtype: int | None = None, k: int = 0) -> Tensor:
    """Ones on the k-th diagonal of a matrix of zeros."""
    rows, columns = torch.arange(x.shape[0]), torch.arange(x.shape[1])
    ones = rows[:, None] + k == columns
    return ones.to(x.dtype if dtype is None else torch_dtype(dtype))


def torch_dtype(number: int) -> torch.dtype:
    """PyTorch's dtype of ONNX's number."""
    return as_tensor(np.zeros((), ir.DataType(number).numpy())).dtype


def one_hot(indices: Any, depth: Any, values: Known, *, axis: int = -1) -> Tensor:
    """``values[1]`` at each index along a new axis, else ``values[0]``: an embedding of the indices.

    They count from the end where they are negative; one that is out of range is nowhere.
    """
    off, on = as_tensor(values)
    count = int(depth[0] if isinstance(depth, list) else depth)
    places = as_tensor(indices).to(torch.int64)
    found = encoded(torch.where(places < 0, places + count, places), count, off, on)
    return found if axis in (-1, found.ndim - 1) else found.movedim(-1, axis)


def encoded(index: Tensor, count: int, off: Tensor, on: Tensor) -> Tensor:
    """``on`` at each index along a new last axis of a size, else ``off``; one that is out of range is nowhere."""
    # The table's last row has no place.
    rows, columns = torch.arange(count + 1), torch.arange(count)
    table = torch.where(rows[:, None] == columns, on, off)
    return functional.embedding(torch.where((index < 0) | (index >= count), count, index), table)


def trilu(x: Tensor, k: Any = None, *, upper: int = 1) -> Tensor:
    """The triangle above the k-th diagonal with it, or below; zeros elsewhere."""
    diagonal = 0 if k is None else int(k[0] if isinstance(k, list) else k)
    return torch.triu(x, diagonal) if upper else torch.tril(x, diagonal)


def nonzero(x: Any) -> Any:
    """The indices of elements that are not 0, ``(rank, count)``; of values, what can only be written at."""
    if isinstance(x, np.ndarray) and x.dtype != object:
        return np.stack(np.nonzero(x)).astype(np.int64) if x.ndim else np.zeros((0, int(bool(x))), np.int64)
    if not isinstance(x, Filled):
        return Found(as_tensor(x))
    if not x.number.item():
        return np.zeros((len(x.shape), 0), np.int64)
    places = torch.meshgrid(*(torch.arange(size) for size in x.shape), indexing="ij")
    return torch.stack([each.reshape(-1) for each in places])


CREATION: dict[str, Operator] = {
    "Constant": Operator(constant),
    "Range": Operator(range_known, on_numbers=range_known, either=("start", "limit", "delta")),
    "EyeLike": Operator(eye_like),
    "OneHot": Operator(one_hot, ("depth",), either=("indices", "values"), note="as an embedding of a constant table"),
    "Trilu": Operator(trilu, ("k",)),
    "NonZero": Operator(nonzero, either=("x",), note="of what is known, the same at all places, or written at alone"),
}
