"""Indices along the batch that only say that each sample reads itself become gathers within the samples.

    y[arange(N), i]          →  gather(y, 1, i)                 for y of shape (N, T, …) and i of shape (N,)
    y[arange(N), i, j]       →  gather(gather(y, 1, i), 2, j)
    y[arange(N), :, j]       →  gather(y, 2, j)
    y[arange(N)[:, None], p] →  gather(y, 1, p)                 for p of shape (N, P)
    y[arange(N), arange(N)]  →  diagonal(y)
    y[arange(N)]             →  y

Of an index along the batch nothing behind could know that. The gathers are one after the other, so that each axis has
its own range, and what is out of it is never another element's place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx

from fgcompile.compiler.ir.fixed_batch import ALONE
from fgcompile.compiler.ir.graphs import insert_call
from fgcompile.compiler.ir.sizes import is_fixed, same_size

aten = torch.ops.aten

RANGES = (aten.arange.default, aten.arange.start, aten.arange.start_step)
RESHAPES = (
    *(aten.unsqueeze.default, aten.reshape.default, aten.view.default, aten.expand.default, aten.clone.default),
    aten.slice.Tensor,  # ``[:, None]`` begins with a whole one
)
"""What may stand between a range and an index, of the same number of elements."""


def gather_within_samples(node: fx.Node) -> bool:
    """Replaces a call of ``index`` that reads each sample's own, and says whether it was one; any other stays."""
    source: Any = node.args[0]
    indices: Any = node.args[1]
    if indices[0] is None or not counts_samples(indices[0], source):
        return False
    places = {axis: index for axis, index in enumerate(indices) if axis and index is not None}
    shape = places_shape(indices[0], list(places.values()))
    if shape is None:
        return False
    if not places:
        result = source
        for _ in shape:
            result = insert_call(node, node, aten.unsqueeze.default, result, 1)
    elif list(places) == [1] and not shape and _is_range_of(places[1], source, 1):
        result = _read_diagonal(node, source)
    else:
        result = _gather(node, source, places, shape)
    node.replace_all_uses_with(result)
    node.graph.erase_node(node)
    if result is not source:
        result.name = node.name  # the signature goes by names
    return True


def take_along(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """``torch.take_along_dim``: a gather at indices that broadcast against the other axes."""
    if dim is None:
        return input.flatten().gather(0, indices.flatten())
    sizes = [
        a if axis == dim % input.dim() or (isinstance(b, int) and b == 1) else b
        for axis, (a, b) in enumerate(zip(indices.shape, input.shape, strict=True))
    ]
    others = [*input.shape]
    for axis, size in enumerate(sizes):
        if axis != dim % input.dim() and not same_size(others[axis], size):
            others[axis] = size
    return input.expand(others).gather(dim, indices.expand(sizes))


def counts_samples(index: fx.Node, source: fx.Node) -> bool:
    """Whether an index is ``arange(N)`` along its first axis, N the batch, and of size 1 along the others.

    The batch is dynamic, or that of one sample alone.
    """
    value, count = index.meta["val"], source.meta["val"].shape[0]
    if is_fixed(count) and count != ALONE:
        return False
    if value.dim() == 0 or not same_size(value.shape[0], count):
        return False
    return all(isinstance(size, int) and size == 1 for size in value.shape[1:]) and _is_range(index, count)


def places_shape(samples: fx.Node, places: Sequence[fx.Node]) -> list[int] | None:
    """The shape of what is read of each sample; None where an index is none within a sample, or its size is dynamic."""
    rank = samples.meta["val"].dim()
    shape = [1] * (rank - 1)
    for index in places:
        value = index.meta["val"]
        if value.dtype not in (torch.int64, torch.int32) or value.dim() > rank:
            return None
        sizes = [1] * (rank - value.dim()) + list(value.shape)
        if not (isinstance(sizes[0], int) and sizes[0] == 1) and not same_size(sizes[0], samples.meta["val"].shape[0]):
            return None
        if not all(isinstance(size, int) for size in sizes[1:]):
            return None
        shape = [max(a, b) for a, b in zip(shape, sizes[1:], strict=True)]
    return shape


def _is_range(index: Any, count: Any) -> bool:
    while index.target in RESHAPES:
        index = index.args[0]
    if index.target not in RANGES or not same_size(index.meta["val"].shape[0], count):
        return False
    start, step = (index.args[0], index.args[2:]) if len(index.args) > 1 else (0, ())
    return start == 0 and step in ((), (1,))


def _is_range_of(index: fx.Node, source: fx.Node, axis: int) -> bool:
    value, count = index.meta["val"], source.meta["val"].shape[axis]
    return value.dim() == 1 and same_size(value.shape[0], count) and _is_range(index, count)


def _read_diagonal(node: fx.Node, source: fx.Node) -> fx.Node:
    """``(N, *rest)`` of ``(N, N, *rest)``, the diagonal's axis in front."""
    diagonal = insert_call(node, node, aten.diagonal.default, source, 0, 0, 1)
    rank = diagonal.meta["val"].dim()
    return insert_call(node, node, aten.permute.default, diagonal, [rank - 1, *range(rank - 1)])


def _gather(node: fx.Node, source: fx.Node, places: dict[int, fx.Node], shape: Sequence[int]) -> fx.Node:
    """``(N, *shape, *rest)``: the axes that are indexed come first, then are gathered one after the other.

    With P = Π shape places a sample, the first gather makes (N, P, …) of (N, T, …), and each that follows takes the
    axis behind that one.
    """

    def call(operator: Any, *arguments: Any) -> fx.Node:
        return insert_call(node, node, operator, *arguments)

    def extent(value: fx.Node, axis: int) -> Any:
        size = value.meta["val"].shape[axis]
        return size if isinstance(size, int) else call(aten.sym_size.int, value, axis)

    others = [axis for axis in range(1, source.meta["val"].dim()) if axis not in places]
    moved = [*places] != [*range(1, len(places) + 1)]
    result = call(aten.permute.default, source, [0, *places, *others]) if moved else source
    for dim, index in zip([1] + [2] * (len(places) - 1), places.values(), strict=True):
        # What counts from the end is counted from the front; what is out of range stays so.
        from_front = call(aten.add.Tensor, index, extent(result, dim))
        index = call(aten.where.self, call(aten.lt.Scalar, index, 0), from_front, index)
        index = call(aten.expand.default, index, [extent(source, 0), *shape])
        behind = [extent(result, axis) for axis in range(dim + 1, result.meta["val"].dim())]
        index = call(aten.reshape.default, index, [-1, math.prod(shape), *[1] * (dim - 1 + len(behind))])
        index = call(aten.expand.default, index, [-1] * (dim + 1) + behind)
        result = call(aten.gather.default, result, dim, index)
        result = result if dim == 1 else call(aten.squeeze.dim, result, 2)
    if not shape:
        return call(aten.squeeze.dim, result, 1)
    rest = [extent(result, axis) for axis in range(2, result.meta["val"].dim())]
    return call(aten.reshape.default, result, [-1, *shape, *rest])
