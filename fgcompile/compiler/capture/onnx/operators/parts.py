"""Parts of a tensor: slices, splits, and elements at indices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.compiler.capture.onnx.values import Known, as_tensor, is_symbolic, known
from fgcompile.compiler.ir.sizes import same_size
from fgcompile.errors import UnsupportedOpError

FAR = 10**9
"""Exporters write an end at least as far for "all that is there": tf2onnx this one, others the largest integer."""

_LARGEST = (2**31 - 1, 2**63 - 1)


def slice_(
    x: Tensor,
    starts: Sequence[Any],
    ends: Sequence[Any],
    axes: Sequence[int] | None = None,
    steps: Sequence[int] | None = None,
) -> Tensor:
    """From each start to before each end; both count from the end where they are negative, and are held to the axis."""
    for axis, start, end, step in _slices(starts, ends, axes, steps):
        if step > 0:
            start, end = _near(start), _near(end)
            x = x if _is_all(x.shape[axis], start, end, step) else x[_at(x, axis, slice(start, end, step))]
        else:
            x = _backwards(x, axis, slice(start, end, step))
    return x


def slice_numbers(x: Known, starts: Known, ends: Known, axes: Known | None = None, steps: Known | None = None) -> Known:
    lists = [None if each is None else each.tolist() for each in (axes, steps)]
    for axis, start, end, step in _slices(starts.tolist(), ends.tolist(), *lists):
        if step < 0:
            start, end = _from_within(start, x.shape[axis]), end if end >= -FAR else None
        x = x[_at(x, axis, slice(start, end, step))]
    return x if not is_symbolic(x) else known(x)


def _slices(
    starts: Sequence[Any], ends: Sequence[Any], axes: Sequence[int] | None, steps: Sequence[int] | None
) -> zip[tuple[int, Any, Any, int]]:
    count = len(starts)
    steps = steps or [1] * count
    # ONNX Runtime takes the largest integers for the axis's other end, backwards too.
    ends = [-(2**63) if step < 0 and end in _LARGEST else end for end, step in zip(ends, steps, strict=True)]
    return zip(axes or range(count), starts, ends, steps, strict=True)


def _is_all(size: Any, start: Any, end: Any, step: int) -> bool:
    """Whether a slice is all of an axis, of any size: of a free one a bound that is a number would decide by it."""
    first = isinstance(start, int) and (start == 0 or start <= -FAR)
    last = end >= FAR if isinstance(end, int) else same_size(end, size)
    return first and last and step == 1


def _near(place: Any) -> Any:
    """A place that PyTorch takes: further from an end than any axis is long is all the same."""
    return max(min(place, 2**62), -(2**62)) if isinstance(place, int) else place


def _at(x: Any, axis: int, index: Any) -> tuple[Any, ...]:
    """What indexes one axis, and all of the others."""
    return (*[slice(None)] * (axis % x.ndim), index)


def _from_within(start: Any, size: int) -> Any:
    """Where a slice backwards begins: at the first element at least, where Python's would be empty."""
    return max(start, -size) if isinstance(start, int) else start


def _backwards(x: Tensor, axis: int, part: slice) -> Tensor:
    """A slice of negative step: the places that it reads, turned around."""
    size = x.shape[axis]
    if not isinstance(size, int):
        if part.start == -1 or part.start >= FAR:
            return x.flip(axis)[_at(x, axis, slice(None, None, -part.step))]
        raise UnsupportedOpError("it slices an axis of a free size backwards from within, fgcompile only all of it")
    places = range(*slice(_from_within(part.start, size), part.stop, part.step).indices(size))
    if not places:
        return x[_at(x, axis, slice(0, 0))]
    return x[_at(x, axis, slice(places[-1], places[0] + 1, -part.step))].flip(axis)


def split(
    x: Tensor, split: Sequence[int] | None = None, *, axis: int = 0, num_outputs: int | None = None, outputs: int
) -> tuple[Tensor, ...]:
    """Parts of those sizes, or as many equal ones, of which the last may be smaller."""
    size = x.shape[axis]
    parts = num_outputs or outputs
    chunk = -(-size // parts)
    if split is None and isinstance(size, int):
        split = [min(chunk, size - chunk * index) for index in range(parts)]
    if split is not None:
        return tuple(torch.split(x, list(split), axis))
    return tuple(x[_at(x, axis, slice(chunk * index, chunk * (index + 1)))] for index in range(parts))


def split_numbers(
    x: Known, split: Known | None = None, *, axis: int = 0, num_outputs: int | None = None, outputs: int
) -> tuple[Known, ...]:
    parts = num_outputs or outputs
    chunk = -(-x.shape[axis] // parts)
    ends = np.cumsum(split)[:-1] if split is not None else [chunk * (index + 1) for index in range(parts - 1)]
    return tuple(known(part) for part in np.split(x, ends, axis))


def gather(x: Any, indices: Any, *, axis: int = 0) -> Tensor:
    """Parts of an axis, at indices of any rank, which count from the end where they are negative."""
    table = as_tensor(x)
    axis = axis % table.ndim
    if isinstance(indices, np.ndarray) and not is_symbolic(indices):
        return _gather_known(table, indices, axis)
    positions = as_tensor(indices)
    is_table = isinstance(x, torch.nn.Parameter) and axis == 0 and table.ndim == 2
    if is_table and isinstance(indices, Tensor):
        return functional.embedding(positions, table)
    return table[_at(table, axis, positions)]


def _gather_known(x: Tensor, indices: Known, axis: int) -> Tensor:
    size = x.shape[axis]
    flat = indices.reshape(-1).tolist()
    if isinstance(size, int) and (beyond := [each for each in flat if not -size <= each < size]):
        raise UnsupportedOpError(f"it reads at {beyond[0]}, and there are {size} places")
    if indices.ndim == 0:
        return x.select(axis, flat[0])
    if isinstance(size, int):
        flat = [each + size if each < 0 else each for each in flat]
    steps = {second - first for first, second in pairwise(flat)} or {1}
    if flat and flat[0] >= 0 and len(steps) == 1 and (step := min(steps)) > 0:
        picked = x[_at(x, axis, slice(flat[0], flat[-1] + 1, step))]
    else:
        picked = x.index_select(axis, torch.tensor(flat, dtype=torch.int64))
    return picked if indices.ndim == 1 else picked.reshape([*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]])


def gather_numbers(x: Known, indices: Known, *, axis: int = 0) -> Known:
    return known(np.take(x, indices.astype(np.int64), axis=axis))


def gather_elements(x: Tensor, indices: Tensor, *, axis: int = 0) -> Tensor:
    """``y[i, j, …] = x[indices[i, j, …], j, …]`` for axis 0."""
    return torch.gather(x, axis, from_front(indices, x.shape[axis]))


def from_front(indices: Any, size: Any) -> Any:
    """Indices that count from the beginning."""
    return torch.where(indices < 0, indices + size, indices).to(torch.int64)


def gather_nd(x: Tensor, indices: Tensor, *, batch_dims: int = 0) -> Tensor:
    """``x (B…, d1, …, dk, rest…)`` at ``indices (B…, M…, k)`` is ``(B…, M…, rest…)``."""
    depth = indices.shape[-1]
    if not batch_dims:
        return x[tuple(indices[..., index] for index in range(depth))]
    sizes, rest = x.shape[batch_dims : batch_dims + depth], x.shape[batch_dims + depth :]
    place: Any = 0
    for index, size in enumerate(sizes):
        place = place * size + from_front(indices[..., index], size)
    batch, places = list(x.shape[:batch_dims]), place.shape[batch_dims:]
    flat = x.reshape([*batch, math.prod(sizes), math.prod(rest)])
    at = place.reshape([*batch, math.prod(places), 1]).expand([-1] * (batch_dims + 1) + [math.prod(rest)])
    return torch.gather(flat, batch_dims, at).reshape([*batch, *places, *rest])


def compress(x: Tensor, condition: Sequence[bool], *, axis: int | None = None) -> Tensor:
    """The parts of an axis, or of all elements in order, where the condition is true."""
    chosen = torch.tensor([index for index, each in enumerate(condition) if each], dtype=torch.int64)
    return x.reshape(-1).index_select(0, chosen) if axis is None else x.index_select(axis, chosen)


PARTS: dict[str, Operator] = {
    "Slice": Operator(slice_, ("starts", "ends", "axes", "steps"), slice_numbers),
    "Split": Operator(split, ("split",), split_numbers),
    "Gather": Operator(
        gather,
        on_numbers=gather_numbers,
        either=("indices",),
        note="an embedding where the table is constant and the indices are not; such an input has no negative ones",
    ),
    "GatherElements": Operator(gather_elements),
    "GatherND": Operator(gather_nd),
    "Compress": Operator(compress, ("condition",), note="of a constant condition"),
}
