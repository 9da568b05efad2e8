"""Reductions and products: coordinates are averaged along the axes that are summed over."""

from __future__ import annotations

from typing import Any

import torch

from fgcompile.compiler.expose.layouts.call import CHANNEL, PositionCall, PositionRule, Shapes
from fgcompile.compiler.expose.layouts.positions import Positions, multiplied

aten = torch.ops.aten


def _reduced(call: PositionCall, shapes: Shapes) -> Positions | None:
    """A mean over space that keeps the axes keeps its place too, like a pooling; otherwise it has none."""
    source = call.positions(call.node.args[0])
    if source is None:
        return None
    rank, dim = len(source.shape), call.arguments.get("dim")
    chosen = range(rank) if dim is None or dim == [] else ([dim] if isinstance(dim, int) else dim)
    axes = [axis % rank for axis in chosen]
    # With keepdim, as in a squeeze-and-excitation gate, the value stays at the mean of its places; without, the axes
    # are gone, and a coordinate that moved along them alone is lost with them.
    if len(shapes[0]) == rank:
        return source.mapped(shapes[0], lambda c: c.nanmean(axes, keepdim=True))
    kept = [axis for axis in range(rank) if axis not in axes]
    averaged = source.averaged(axes)
    return averaged.moved(shapes[0], lambda c: c.permute(*kept, *axes).reshape(shapes[0]))


def _contracted(call: PositionCall, source: Positions, axis: int) -> Positions:
    """A sum over an axis with weights. It tells that this axis is the channels', if other coordinates survive it."""
    result = source.averaged([axis])
    if any(coordinate is not None for coordinate in result.coordinates[1:]):
        for index, (before, after) in enumerate(zip(source.coordinates, result.coordinates, strict=True)):
            if before is not None and after is None:
                call.mark(index, CHANNEL)
    return result


def _linear(call: PositionCall, shapes: Shapes) -> Positions | None:
    source = call.positions(call.arguments["input"])
    if source is None:
        return None
    contracted = _contracted(call, source, len(source.shape) - 1)
    return Positions(shapes[0], contracted.coordinates)


def _product(call: PositionCall, shapes: Shapes) -> Positions | None:
    """``(…, I, K) (…, K, J)``: elements lie where their row in the left factor does, else their column in the right."""
    # Of attention · values, rows are queries (which have places) and columns are channels; of queries · keys both have
    # places: an element lies at its query, and is at its key where queries are summed over (``multiplied``).
    names = ("mat1", "mat2") if "mat1" in call.arguments else ("self", "mat2")
    left, right = (call.positions(call.arguments[name]) for name in names)
    rank = len(shapes[0])
    factors = [(factor, axis) for factor, axis in ((left, rank - 1), (right, rank - 2)) if factor is not None]
    results = [Positions(shapes[0], _contracted(call, factor, axis).coordinates) for factor, axis in factors]
    if not results:
        return None
    return multiplied(results, shapes[0])


SUMS: dict[Any, PositionRule] = {
    aten.sum.dim_IntList: _reduced,
    aten.mean.dim: _reduced,
    aten.amax.default: _reduced,
    aten.amin.default: _reduced,
    aten.max.dim: _reduced,
    aten.min.dim: _reduced,
    aten.median.dim: _reduced,
    aten.argmax.default: _reduced,
    aten.argmin.default: _reduced,
    aten.var.correction: _reduced,
    aten.prod.dim_int: _reduced,
    aten.linalg_vector_norm.default: _reduced,
    aten.logsumexp.default: _reduced,
    aten.linear.default: _linear,
    aten.mm.default: _product,
    aten.bmm.default: _product,
    aten.addmm.default: _product,
}
