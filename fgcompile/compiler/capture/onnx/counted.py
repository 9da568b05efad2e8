"""Indices that count samples stay known as such, so that reads and writes by them are within each sample.

Exporters write ``y[arange(N), i]`` and ``y[:, a:b] = v`` with the samples' numbers in front of the others, one column
for each axis that is indexed, or as places in a tensor whose first axes are one:

    Range(0, N, 1)                       →  Count of N
    Reshape, Unsqueeze, Expand, Cast     →  the same of another shape
    Concat(Count, i, …; the last axis)   →  Columns
    ScatterND, GatherND at Columns       →  y[arange(N)[:, None], i, …]
    Gather(y of (N·T, …), i + T·Count)   →  y of (N, T, …) [arange(N), i]

So do the places of a mask, which are known only to be written at:

    ScatterND(y, Transpose(NonZero(m)), Expand(v, as many))   →  where(m, v, y)

And what says which of some numbers an index is, where it becomes real:

    Cast(Equal(i, (0, …, n−1)))  →  an embedding of i
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fgcompile.compiler.capture.onnx.operators.casts import DTYPES
from fgcompile.compiler.capture.onnx.operators.creation import encoded
from fgcompile.compiler.capture.onnx.operators.shape import shape, size
from fgcompile.compiler.capture.onnx.places import Columns, Count, Found, Hot, Spread
from fgcompile.compiler.capture.onnx.values import as_tensor
from fgcompile.compiler.ir.sizes import same_size

Made = Callable[[Sequence[Any], dict[str, Any]], Any]


def _reshaped(values: Sequence[Any], attributes: dict[str, Any]) -> Any:
    count, shape = values[0], values[1]
    if isinstance(count, Spread) and isinstance(shape, np.ndarray) and shape.tolist() == [-1]:
        return count
    if not isinstance(count, Count) or not count.is_plain or len(count.shape) != 1 or not isinstance(shape, np.ndarray):
        return NotImplemented
    sizes = shape.tolist()
    whole = len(sizes) > 0 and (same_size(sizes[0], count.shape[0]) or same_size(sizes[0], -1))
    ones = all(isinstance(size, int) and size == 1 for size in sizes[1:])
    return Count((count.shape[0], *sizes[1:])) if whole and ones else NotImplemented


def _unsqueezed(values: Sequence[Any], attributes: dict[str, Any]) -> Any:
    count, axes = values[0], values[1]
    if not isinstance(count, Count) or not count.is_plain or not isinstance(axes, np.ndarray):
        return NotImplemented
    rank = len(count.shape) + axes.size
    places = sorted(axis % rank for axis in axes.reshape(-1).tolist())
    shape = list(count.shape)
    for place in places:
        shape.insert(place, 1)
    return NotImplemented if 0 in places else Count(tuple(shape))


def _expanded(values: Sequence[Any], attributes: dict[str, Any]) -> Any:
    count, shape = values[0], values[1]
    if isinstance(shape, Tensor):
        return _spread(count, shape)
    if not isinstance(count, Count) or not count.is_plain or not isinstance(shape, np.ndarray):
        return NotImplemented
    sizes = shape.tolist()
    if len(sizes) != len(count.shape) or not same_size(sizes[0], count.shape[0]):
        return NotImplemented
    return Count((count.shape[0], *sizes[1:]))


def _same(values: Sequence[Any], attributes: dict[str, Any]) -> Any:
    return values[0] if isinstance(values[0], Count) else NotImplemented


def _cast(values: Sequence[Any], attributes: dict[str, Any]) -> Any:
    (value,) = values
    dtype = DTYPES.get(attributes["to"])
    if not isinstance(value, Hot) or dtype is None or not dtype.is_floating_point:
        return _same(values, attributes)
    off, on = torch.tensor([0, 1], dtype=dtype)
    return encoded(value.index.squeeze(-1).to(torch.int64), value.count, off, on)


def _multiplied(values: Sequence[Any], attributes: dict[str, Any]) -> Any:
    count, other = values if isinstance(values[0], Count) else reversed(values)
    known = isinstance(other, np.ndarray) and other.size == 1 and other.ndim <= 1 and other.dtype.kind == "i"
    if not isinstance(count, Count) or count.rest is not None or not known:
        return NotImplemented
    return replace(count, factor=count.factor * other.item())


def _added(values: Sequence[Any], attributes: dict[str, Any]) -> Any:
    count, other = values if isinstance(values[0], Count) else reversed(values)
    if not isinstance(count, Count) or count.rest is not None or not isinstance(other, Tensor):
        return NotImplemented
    alike = other.ndim == len(count.shape) and same_size(other.shape[0], count.shape[0])
    return replace(count, shape=tuple(other.shape), rest=other) if alike else NotImplemented


def _concatenated(values: Sequence[Any], attributes: dict[str, Any]) -> Any:
    rank = max(len(value.shape) for value in values)
    columns = attributes["axis"] in (-1, rank - 1) and all(len(value.shape) == rank > 1 for value in values)
    if not columns or not all(same_size(value.shape[-1], 1) for value in values):
        return NotImplemented
    parts = [_without_last(value) for value in values]
    return NotImplemented if any(part is None for part in parts) else Columns(tuple(parts))


def _without_last(value: Any) -> Any:
    if isinstance(value, Count):
        return replace(value, shape=value.shape[:-1]) if value.is_plain else None
    return as_tensor(value).squeeze(-1)


def _gathered(values: Sequence[Any], attributes: dict[str, Any]) -> Any:
    x, count = values
    if not isinstance(x, Tensor) or not isinstance(count, Count) or attributes.get("axis", 0) != 0:
        return NotImplemented
    if count.rest is None or not same_size(x.shape[0], count.shape[0] * count.factor):
        return NotImplemented
    parted = x.reshape(count.shape[0], count.factor, *x.shape[1:])
    return parted[count.index(), count.rest]


def _gathered_columns(values: Sequence[Any], attributes: dict[str, Any]) -> Any:
    x, columns = values
    if not isinstance(x, Tensor) or not isinstance(columns, Columns) or attributes.get("batch_dims", 0):
        return NotImplemented
    return x[columns.index()]


def _scattered(values: Sequence[Any], attributes: dict[str, Any]) -> Any:
    x, columns, updates = values
    reduction = attributes.get("reduction", "none")
    if isinstance(columns, Found) and isinstance(updates, Spread) and columns.by_rows and reduction == "none":
        return _written(as_tensor(x), columns.mask, updates.number)
    if not isinstance(columns, Columns) or reduction not in ("none", "add"):
        return NotImplemented
    return torch.index_put(as_tensor(x), columns.index(), as_tensor(updates), accumulate=reduction == "add")


def _written(x: Tensor, mask: Tensor, number: Tensor) -> Tensor:
    mask = mask if mask.dtype == torch.bool else mask != 0
    return torch.where(mask.reshape([*mask.shape, *[1] * (x.ndim - mask.ndim)]), number.reshape(()), x)


def _transposed(values: Sequence[Any], attributes: dict[str, Any]) -> Any:
    (found,) = values
    turned = list(attributes.get("perm") or [1, 0]) == [1, 0]
    return replace(found, by_rows=not found.by_rows) if isinstance(found, Found) and turned else NotImplemented


def _spread(value: Any, shape: Tensor) -> Any:
    alone = isinstance(value, Tensor | np.ndarray) and all(isinstance(each, int) and each == 1 for each in value.shape)
    listed = shape.ndim == 1 and same_size(shape.shape[0], 1)
    return Spread(as_tensor(value)) if alone and listed else NotImplemented


def counted(operator: str, values: Sequence[Any], attributes: dict[str, Any]) -> Any:
    """What an operator makes of values some of which count samples; NotImplemented where they are tensors to it."""
    made = _OF_COUNTS.get(operator)
    return NotImplemented if made is None else made(values, attributes)


_OF_COUNTS: dict[str, Made] = {
    "Add": _added,
    "Cast": _cast,
    "Concat": _concatenated,
    "Expand": _expanded,
    "Gather": _gathered,
    "GatherND": _gathered_columns,
    "Identity": _same,
    "Mul": _multiplied,
    "Reshape": _reshaped,
    "ScatterND": _scattered,
    "Shape": lambda values, attributes: shape(*values, **attributes),
    "Size": lambda values, attributes: size(*values),
    "Transpose": _transposed,
    "Unsqueeze": _unsqueezed,
}
