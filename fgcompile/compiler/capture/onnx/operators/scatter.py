"""Writes at indices: a copy of a tensor, other values at some places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
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


def scatter_nd(x: Tensor, indices: Any, updates: Tensor, *, reduction: str = "none") -> Tensor:
    """``y[indices[…, 0], …, indices[…, k]] = updates``, or reduced with what is there.

    What exporters make of ``y[a:b, c:d] = …`` is that again, so that what lies where stays known.
    """
    if isinstance(indices, np.ndarray):
        if reduction == "none" and (starts := _starts_of_slices(indices, x.shape)) is not None:
            return _write_slices(x, updates, starts, indices.shape)
        indices = torch.as_tensor(indices)
    places = tuple(indices[..., index] for index in range(indices.shape[-1]))
    if reduction == "none":
        return torch.index_put(x, places, updates)
    if reduction == "add":
        return torch.index_put(x, places, updates, accumulate=True)
    return _scatter_nd_reduced(x, places, updates, _REDUCTIONS[reduction])


def _starts_of_slices(indices: Known, sizes: Sequence[int | torch.SymInt]) -> list[int] | None:
    """Where the slice of each axis begins, if constant indices are the grid of one slice an axis; else None.

    The only row of an axis of size 1 may be the batch, of which a file has one, so it is no slice.
    """
    *counts, depth = indices.shape
    if indices.dtype == object or len(counts) != depth or not all(isinstance(size, int) for size in sizes[:depth]):
        return None
    if 0 in counts or sizes[0] == 1:
        return None
    starts = [int(start) + (int(size) if start < 0 else 0) for start, size in zip(_first(indices), sizes, strict=False)]
    grid = np.stack(np.meshgrid(*map(np.arange, counts), indexing="ij"), -1) + _first(indices)
    inside = all(a >= 0 and a + n <= size for a, n, size in zip(starts, counts, sizes, strict=False))
    return starts if inside and np.array_equal(indices, grid) else None


def _first(indices: Known) -> Known:
    first: Known = indices.reshape(-1, indices.shape[-1])[0]
    return first


def _write_slices(x: Tensor, updates: Tensor, starts: Sequence[int], counts: Sequence[int]) -> Tensor:
    parts = [x]
    for axis, start in enumerate(starts[:-1]):
        parts.append(parts[-1].narrow(axis, start, counts[axis]))
    for axis, part in reversed(list(enumerate(parts))):
        updates = torch.slice_scatter(part, updates, axis, starts[axis], starts[axis] + counts[axis])
    return updates


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
    "ScatterND": Operator(scatter_nd, on_numbers=scatter_nd_numbers, either=("indices",)),
}
