"""Writes at indices along the batch that only say that each sample writes into itself become scatters within samples.

    y[arange(N), i] = v           →  scatter(y, 1, i, v)        for y of shape (N, T, …) and i of shape (N,)
    y[arange(N), i, j] = v        →  scatter(y of (N, T·U, …), 1, i·U + j, v)
    y[arange(N), :, j] = v        →  scatter(y, 2, j, v)
    y[arange(N)[:, None], p] = v  →  scatter(y, 1, p, v)        for p of shape (N, P)

and with ``accumulate`` scatters that add. The reads of this kind are in ``sample_reads``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import fx

from fgcompile.compiler.capture.sample_reads import counts_samples, places_shape
from fgcompile.compiler.ir.graphs import insert_call
from fgcompile.compiler.ir.nodes import bind
from fgcompile.compiler.ir.sizes import is_fixed

aten = torch.ops.aten

WRITES = (aten.index_put_.default, aten.index_put.default)


def scatter_within_samples(node: fx.Node) -> None:
    """Replaces a call of ``index_put`` by which each sample writes into itself; any other stays."""
    arguments = bind(node)
    source, indices = arguments["self"], arguments["indices"]
    if indices[0] is None or not counts_samples(indices[0], source):
        return
    places = {axis: index for axis, index in enumerate(indices) if axis and index is not None}
    shape = places_shape(indices[0], list(places.values()))
    sizes = source.meta["val"].shape
    if not places or shape is None or not all(is_fixed(size) for size in sizes[1:]):
        return
    result = _Write(node, source, places, shape).result(arguments["values"], arguments["accumulate"])
    if node.target is aten.index_put_.default:
        result = insert_call(node, node, aten.copy_.default, source, result)
    node.replace_all_uses_with(result)
    node.graph.erase_node(node)
    result.name = node.name  # the signature goes by names


class _Write:
    """``(N, T, U, *rest)``, what is indexed in front, as ``(N, T·U, R)``, ``shape`` places a sample."""

    def __init__(self, node: fx.Node, source: fx.Node, places: dict[int, fx.Node], shape: Sequence[int]) -> None:
        self.node, self.source, self.places, self.shape = node, source, places, shape
        self.sizes = [int(size) for size in source.meta["val"].shape[1:]]
        others = [axis for axis in range(1, len(self.sizes) + 1) if axis not in places]
        self.order = [0, *places, *others]
        self.indexed, self.rest = ([self.sizes[axis - 1] for axis in axes] for axes in (places, others))

    def call(self, operator: Any, *arguments: Any) -> fx.Node:
        return insert_call(self.node, self.node, operator, *arguments)

    def result(self, values: fx.Node, accumulate: bool) -> fx.Node:
        """``(N, …)`` in the source's own order of axes."""
        count, behind, total = math.prod(self.shape), math.prod(self.rest), math.prod(self.indexed)
        samples = self.call(aten.sym_size.int, self.source, 0)
        index = self.call(aten.expand.default, self.position(), [samples, *self.shape])
        index = self.call(aten.reshape.default, index, [samples, count, 1])
        index = self.call(aten.expand.default, index, [samples, count, behind])
        written = self.call(aten.expand.default, values, [samples, *self.shape, *self.rest])
        written = self.call(aten.reshape.default, written, [samples, count, behind])
        own = self.call(aten.permute.default, self.source, self.order)
        own = self.call(aten.reshape.default, own, [samples, total, behind])
        operator = aten.scatter_add.default if accumulate else aten.scatter.src
        put = self.call(operator, own, 1, index, written)
        put = self.call(aten.reshape.default, put, [samples, *self.indexed, *self.rest])
        return self.call(aten.permute.default, put, [self.order.index(axis) for axis in range(len(self.order))])

    def position(self) -> fx.Node:
        """Where each place lies in the indexed axes, merged; what counts from the end is counted from the front."""
        position: Any = None
        for index, size in zip(self.places.values(), self.indexed, strict=True):
            index = self.call(
                aten.where.self, self.call(aten.lt.Scalar, index, 0), self.call(aten.add.Tensor, index, size), index
            )
            if position is not None:
                index = self.call(aten.add.Tensor, self.call(aten.mul.Tensor, position, size), index)
            position = index
        return position  # type: ignore[no-any-return]
