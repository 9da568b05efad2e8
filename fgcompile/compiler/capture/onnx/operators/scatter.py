"""Writes at indices: a copy of a tensor, other values at some places."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.compiler.capture.onnx.operators.parts import from_front
from fgcompile.compiler.capture.onnx.values import Known, known

_REDUCTIONS = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


def scatter_elements(x: Tensor, indices: Tensor, updates: Tensor, *, axis: int = 0, reduction: str = "none") -> Tensor:
    """``y[indices[i, j, …], j, …] = updates[i, j, …]`` for axis 0, or reduced with what is there."""
    index = from_front(indices, x.shape[axis])
    if reduction == "none":
        return torch.scatter(x, axis, index, updates)
    return torch.scatter_reduce(x, axis, index, updates, _REDUCTIONS[reduction])


def scatter_elements_numbers(
    x: Known, indices: Known, updates: Known, *, axis: int = 0, reduction: str = "none"
) -> Any:
    if reduction != "none" or x.ndim != 1:
        return NotImplemented
    result = x.astype(object)
    for index, update in zip(indices.tolist(), updates.tolist(), strict=True):
        result[index] = update
    return known(result)


def scatter_nd(x: Tensor, indices: Tensor, updates: Tensor, *, reduction: str = "none") -> Tensor:
    """``y[indices[…, 0], …, indices[…, k]] = updates``, or reduced with what is there."""
    places = tuple(indices[..., index] for index in range(indices.shape[-1]))
    if reduction == "none":
        return torch.index_put(x, places, updates)
    if reduction == "add":
        return torch.index_put(x, places, updates, accumulate=True)
    return _scatter_nd_reduced(x, places, updates, _REDUCTIONS[reduction])


def _scatter_nd_reduced(x: Tensor, places: tuple[Tensor, ...], updates: Tensor, reduction: str) -> Tensor:
    """The indexed axes become one, along which every row of ``updates`` is scattered."""
    place: Any = 0
    for index, size in zip(places, x.shape, strict=False):
        place = place * size + from_front(index, size)
    depth = len(places)
    flat = x.flatten(0, depth - 1)
    rows = updates.reshape([-1, *flat.shape[1:]])
    at = place.reshape([-1] + [1] * (flat.ndim - 1)).expand_as(rows)
    return torch.scatter_reduce(flat, 0, at, rows, reduction).reshape(x.shape)


def scatter_nd_numbers(x: Known, indices: Known, updates: Known, *, reduction: str = "none") -> Any:
    if reduction != "none":
        return NotImplemented
    result = x.astype(object)
    result[tuple(indices[..., index] for index in range(indices.shape[-1]))] = updates
    return known(result)


SCATTER: dict[str, Operator] = {
    "Scatter": Operator(scatter_elements, on_numbers=scatter_elements_numbers),
    "ScatterElements": Operator(scatter_elements, on_numbers=scatter_elements_numbers),
    "ScatterND": Operator(scatter_nd, on_numbers=scatter_nd_numbers),
}
