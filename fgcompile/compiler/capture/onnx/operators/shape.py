"""Shapes, and what rearranges a tensor by them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.compiler.capture.onnx.values import Known, known


def shape(x: Tensor, *, start: int = 0, end: int | None = None) -> Known:
    return known(list(x.shape)[start:end])


def shape_of_numbers(x: Known, *, start: int = 0, end: int | None = None) -> Known:
    return known(list(x.shape)[start:end])


def reshape(x: Tensor, shape: Sequence[Any], *, allowzero: int = 0) -> Tensor:
    """A size of 0 is the one that ``x`` has there, unless ``allowzero``; −1 is what is left."""
    sizes = [x.shape[axis] if size == 0 and not allowzero else size for axis, size in enumerate(shape)]
    return x.reshape(sizes)


def reshape_numbers(x: Known, shape: Known, *, allowzero: int = 0) -> Known:
    return x.reshape([x.shape[axis] if size == 0 and not allowzero else size for axis, size in enumerate(shape)])


def flatten(x: Tensor, *, axis: int = 1) -> Tensor:
    """``(d0, …, dr)`` to two axes, those before ``axis`` and those from it on."""
    axis = axis + x.ndim if axis < 0 else axis
    if axis == 0:
        return x.reshape(1, -1)
    return x.reshape(math.prod(x.shape[:axis]), -1) if axis != 1 else x.flatten(1)


def gather(x: Tensor, indices: Tensor, *, axis: int = 0) -> Tensor:
    """Rows of an axis, at indices of any rank, which count from the end where they are negative."""
    axis = axis + x.ndim if axis < 0 else axis
    size = x.shape[axis]
    wrapped = torch.where(indices < 0, indices + size, indices)
    if indices.ndim == 0:
        return x.index_select(axis, wrapped.reshape(1)).squeeze(axis)
    picked = x.index_select(axis, wrapped.reshape(-1))
    return picked.reshape([*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]])


def gather_numbers(x: Known, indices: Known, *, axis: int = 0) -> Known:
    return known(np.take(x, indices.astype(np.int64), axis=axis))


def concat(*tensors: Tensor, axis: int) -> Tensor:
    return torch.cat(tensors, axis)


def concat_numbers(*parts: Known, axis: int) -> Known:
    return known(np.concatenate([part.astype(object) for part in parts], axis))


def unsqueeze(x: Tensor, axes: Sequence[int]) -> Tensor:
    rank = x.ndim + len(axes)
    for axis in sorted(axis + rank if axis < 0 else axis for axis in axes):
        x = x.unsqueeze(axis)
    return x


def unsqueeze_numbers(x: Known, axes: Known) -> Known:
    return np.expand_dims(x, tuple(axes.tolist()))


SHAPE: dict[str, Operator] = {
    "Shape": Operator(shape, on_numbers=shape_of_numbers),
    "Reshape": Operator(reshape, ("shape",), reshape_numbers),
    "Flatten": Operator(flatten),
    "Gather": Operator(gather, on_numbers=gather_numbers),
    "Concat": Operator(concat, on_numbers=concat_numbers),
    "Unsqueeze": Operator(unsqueeze, ("axes",), unsqueeze_numbers),
}
