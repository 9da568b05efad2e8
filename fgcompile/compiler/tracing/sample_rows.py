"""Where the samples are in the values of a graph: on an axis of their own, or on one with others that belong to each.

``(N, L, C)`` viewed as ``(N L, C)`` has its samples outermost on the first axis, ``(L, N, C)`` as ``(L N, C)``
innermost.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import SymInt, Tensor, fx

from fgcompile.compiler.ir.graphs import VIEWS
from fgcompile.compiler.ir.sizes import hint
from fgcompile.compiler.ir.torch_internals import evaluated, expression

aten = torch.ops.aten

PRIME = 1_000_003
"""Stands for the number of samples, of which no other size is a multiple."""

WITHIN = (
    aten._softmax.default,
    aten._log_softmax.default,
    aten._to_copy.default,
    aten.clone.default,
    aten.detach.default,
    aten.expand.default,
)
"""Operators whose values have the samples where the operand does, beside those that are elementwise."""

RESHAPES = (*VIEWS, aten.reshape.default, aten.unsqueeze.default, aten.squeeze.dim, aten.squeeze.dims)
REDUCTIONS = (aten.sum.dim_IntList, aten.mean.dim, aten.amax.default, aten.amin.default)

PRODUCTS = {aten.bmm.default: (0, 1), aten.mm.default: (0,), aten.addmm.default: (1,)}
"""The operands whose first axis is that of the product."""


@dataclass(frozen=True)
class SampleRows:
    """The axis with the samples, and where they are among its entries.

    Attributes:
        axis: The axis.
        factor: How many of its entries are of one sample.
        outermost: Whether these follow one another; else those of all samples do.
    """

    axis: int
    factor: int = 1
    outermost: bool = True


def sample_rows(node: fx.Node, samples: SymInt, known: Mapping[fx.Node, SampleRows]) -> SampleRows | None:
    """Where the samples are in a node's value; None where that is not known.

    Args:
        node: The node.
        samples: The number of samples in it.
        known: Those of the nodes that it is computed from.
    """
    if not isinstance(node.meta.get("val"), Tensor):
        return None
    sizes = _numbers(node, samples)
    axes = [axis for axis, size in enumerate(sizes) if size % PRIME == 0]
    if len(axes) != 1:
        return None
    (axis,) = axes
    if sizes[axis] == PRIME:
        return SampleRows(axis)
    found = {_through(node, source, known[source], samples) for source in node.all_input_nodes if source in known}
    (rows, *others) = found or {None}
    return rows if rows is not None and not others and rows.axis == axis else None


def _numbers(node: fx.Node, samples: SymInt) -> list[int]:
    """The sizes of a value with a prime for the number of samples, and the example's for what else is dynamic."""
    symbol = expression(samples)
    return [
        size
        if isinstance(size, int)
        else evaluated(size, {symbol: PRIME})
        if expression(size).free_symbols == {symbol}
        else hint(size)
        for size in node.meta["val"].shape
    ]


def _through(node: fx.Node, source: fx.Node, rows: SampleRows, samples: SymInt) -> SampleRows | None:
    """Where a node's value has the samples that one of its operands has ``rows`` of."""
    target: Any = node.target
    before, after = _numbers(source, samples), _numbers(node, samples)
    if target in PRODUCTS:
        return rows if source in [node.args[number] for number in PRODUCTS[target]] and rows.axis == 0 else None
    if target is aten.permute.default:
        order: Any = node.args[1]
        return replace(rows, axis=[axis % len(before) for axis in order].index(rows.axis))
    if target is aten.transpose.int:
        order = list(range(len(before)))
        one, other = (int(axis) % len(before) for axis in node.args[1:3])  # type: ignore[arg-type]
        order[one], order[other] = other, one
        return replace(rows, axis=order.index(rows.axis))
    if target in RESHAPES:
        return _reshaped(before, after, rows)
    if target in WITHIN or torch.Tag.pointwise in getattr(target, "tags", ()):
        behind = len(after) - len(before)  # of an operand that is broadcast
        return replace(rows, axis=rows.axis + behind)
    if target is aten.select.int:
        along = int(node.args[1]) % len(before)  # type: ignore[arg-type]
        return replace(rows, axis=rows.axis - (along < rows.axis)) if along != rows.axis else None
    if target in (aten.slice.Tensor, aten.cat.default, aten.constant_pad_nd.default) and len(before) == len(after):
        return rows if before[rows.axis] == after[rows.axis] else None
    if target in REDUCTIONS and len(after) == len(before):
        return rows
    return None


def _reshaped(before: Sequence[int], after: Sequence[int], rows: SampleRows) -> SampleRows | None:
    """The same after a reshape, by how many elements follow from one sample to the next."""
    step = math.prod(before[rows.axis + 1 :]) * (rows.factor if rows.outermost else 1)
    axis = next(axis for axis, size in enumerate(after) if size % PRIME == 0)
    behind, factor = math.prod(after[axis + 1 :]), after[axis] // PRIME
    if step % behind:
        return None
    if step // behind == factor:
        return SampleRows(axis, factor)
    return SampleRows(axis, factor, outermost=False) if step == behind else None
