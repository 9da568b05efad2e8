"""Which axes an integer input indexes, so that an artifact can refuse values that are out of range.

An input that reaches an embedding, a gather or an index as it was given must lie within the axis that is read, or the
model itself would fail; so must a part of it that does, a column say, and what is a number away from it. What else was
computed with in between says nothing of the input.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx
from torch.export import ExportedProgram

from fgcompile.compiler.ir.nodes import bind
from fgcompile.compiler.ir.programs import IndexedAxis
from fgcompile.compiler.ir.sizes import same_size
from fgcompile.compiler.ir.torch_internals import OpOverload, is_view, schema_of

aten = torch.ops.aten

SAME = (
    *(aten.clone, aten.contiguous, aten.alias, aten.detach, aten.detach_, aten.to, aten._to_copy),
    aten.lift_fresh_copy,
)
"""Operators whose result is their first operand."""

WHOLE = (
    *SAME,
    *(aten.unsqueeze, aten.squeeze, aten.reshape, aten.view, aten.flatten, aten.expand, aten.expand_as, aten.unflatten),
    *(aten.flip, aten.repeat),
)
"""Operators whose result holds every element of their first operand, and nothing else."""

MOVES = (aten.permute, aten.transpose, aten.movedim, aten.t)
"""Operators that order the axes of their first operand."""

PARTS = (aten.slice.Tensor, aten.select.int)
"""Operators that read a part of an axis, which may be all of it."""

READS = (
    *(aten.gather.default, aten.index_select.default),
    *(aten.scatter.src, aten.scatter.value, aten.scatter_.src, aten.scatter_.value),
    *(aten.scatter_add.default, aten.scatter_add_.default, aten.scatter_reduce.two, aten.scatter_reduce_.two),
    *(aten.index_add.default, aten.index_add_.default, aten.index_copy.default, aten.index_copy_.default),
    *(aten.index_fill.int_Scalar, aten.index_fill_.int_Scalar),
    *(aten.index_reduce.default, aten.index_reduce_.default),
)
"""Operators that read or write at an ``index`` along an axis ``dim``."""

BY_INDICES = (aten.index.Tensor, aten.index_put.default, aten.index_put_.default)
"""Operators that read or write several axes, and count from their ends."""

LOSSES = (aten.cross_entropy_loss.default, aten.nll_loss_nd.default, aten.nll_loss.default, aten.nll_loss2d.default)
"""Operators that read a class of each sample or place, but where it is to be ignored."""

SUMS = {aten.add.Tensor: 1, aten.sub.Tensor: -1}
"""Operators that move what they are given by a number, and which way."""


class Read(NamedTuple):
    """The indices of a call that reads by them, the size of the axis that each reads, and whether ends count."""

    index: Any
    size: Any
    from_end: bool
    ignored: int | None = None


@dataclass(frozen=True)
class Origin:
    """The input that a value comes from, which part of it, and which of its axes the value's are, if they are any."""

    input: fx.Node
    axes: tuple[int, ...] | None
    part: tuple[int, int, int] | None = None
    offset: int = 0


def find_indexed_axes(exported: ExportedProgram) -> list[tuple[IndexedAxis, ...]]:
    """For each input of an exported program, in order, the axes that its values index."""
    inputs = program_inputs(exported, exported.graph)
    found: list[list[IndexedAxis]] = [[] for _ in inputs]
    for _, read, origin in find_reads(exported, exported.graph):
        axis = _known(read.size, inputs)
        if axis is not None and origin is not None:
            indexed = IndexedAxis(axis, read.from_end, origin.part, origin.offset, read.ignored)
            of = found[inputs.index(origin.input)]
            of.extend([indexed] if indexed not in of else [])
    return [tuple(axes) for axes in found]


def find_reads(exported: ExportedProgram, graph: fx.Graph) -> Iterator[tuple[fx.Node, Read, Origin | None]]:
    """The calls of a program's graph that read or write at indices, and where these come from.

    The origin is None where an index is computed, or the axis is as long as no input's.
    """
    inputs = program_inputs(exported, graph)
    origins = _origins(graph, inputs)
    if any(is_integer(node) and _written(node) in origins for node in written_in_place(graph)):
        origins.clear()  # what an input held before it was written says nothing
    for node in graph.nodes:
        for read in _reads(node) if isinstance(node.target, OpOverload) else ():
            known = _known(read.size, inputs) is not None
            yield node, read, origins.get(read.index) if known else None


def _origins(graph: fx.Graph, inputs: list[fx.Node]) -> dict[fx.Node, Origin]:
    """Where the integers come from that are an input's, or part of one."""
    origins = {node: Origin(node, tuple(range(node.meta["val"].ndim))) for node in inputs if is_integer(node)}
    for node in graph.nodes:
        if isinstance(node.target, OpOverload) and is_integer(node) and node.args:
            source = origins.get(node.args[0])
            if source is not None and (origin := _followed(node, source)) is not None:
                origins[node] = origin
    return origins


def _written(node: fx.Node) -> fx.Node:
    """The tensor that a call writes into: what its operand is a view of, by whichever views."""
    written: fx.Node = node.args[0]  # type: ignore[assignment]
    while written.op == "call_function" and written.args and isinstance(written.args[0], fx.Node):
        if isinstance(written.target, OpOverload) and not is_view(written.target):
            break
        written = written.args[0]
    return written


def program_inputs(exported: ExportedProgram, graph: fx.Graph) -> list[fx.Node]:
    """The inputs of a program in its graph, or in a copy of that."""
    names = exported.graph_signature.user_inputs
    return [node for node in graph.find_nodes(op="placeholder") if node.name in names]


def written_in_place(graph: fx.Graph) -> list[fx.Node]:
    """The calls that write into a tensor, so that a node's values are not what its own call returned."""
    calls = [node for node in graph.nodes if isinstance(node.target, OpOverload)]
    return [node for node in calls if schema_of(node.target).is_mutable and node.target is not aten.detach_.default]


def writes_integers(graph: fx.Graph) -> bool:
    """Whether any of them are integers."""
    return any(map(is_integer, written_in_place(graph)))


def is_integer(node: fx.Node) -> bool:
    """Whether a node's value is a tensor of integers."""
    value = node.meta.get("val")
    return isinstance(value, Tensor) and not value.is_floating_point() and value.dtype != torch.bool


def _followed(node: fx.Node, source: Origin) -> Origin | None:
    """Where a call's result comes from, given where its operand does; None where it is computed with."""
    target: Any = node.target
    if target.overloadpacket in SAME:
        return source
    if target.overloadpacket in WHOLE:
        return replace(source, axes=None)
    if target.overloadpacket in MOVES:
        return source if source.axes is None else replace(source, axes=_moved(node, source.axes))
    if target in SUMS and isinstance(node.args[1], int) and "alpha" not in node.kwargs:
        return replace(source, offset=source.offset + SUMS[target] * node.args[1])
    if target not in PARTS:
        return None
    arguments = bind(node)
    shape, dim = arguments["self"].meta["val"].shape, arguments["dim"]
    if same_size(shape[dim], node.meta["val"].shape[dim] if target is aten.slice.Tensor else 1):
        return source if target is aten.slice.Tensor else replace(source, axes=None)
    known = source.axes is not None and source.part is None and isinstance(shape[dim], int)
    if not known or arguments.get("step", 1) != 1:
        return None
    assert source.axes is not None
    return replace(source, axes=None, part=_part(arguments, source.axes[dim % len(shape)], shape[dim]))


def _moved(node: fx.Node, axes: tuple[int, ...]) -> tuple[int, ...]:
    """The axes in the order that a call brings them into: what it does to a tensor whose sizes are their numbers."""
    operator: Any = node.target
    numbered = torch.empty([1 + axis for axis in range(len(axes))], device="meta")
    return tuple(axes[size - 1] for size in operator(numbered, *node.args[1:], **node.kwargs).shape)


def _part(arguments: Mapping[str, Any], axis: int, size: int) -> tuple[int, int, int]:
    """The input's axis, the first position and the one behind the last that a call reads."""
    if "index" in arguments:
        first = arguments["index"] % size
        return axis, first, first + 1
    first, last, _ = slice(arguments["start"], arguments["end"]).indices(size)
    return axis, first, last


def _reads(node: fx.Node) -> Iterator[Read]:
    arguments = bind(node)
    if node.target is aten.embedding.default:
        yield Read(arguments["indices"], arguments["weight"].meta["val"].shape[0], False)
    elif node.target is aten.one_hot.default and arguments["num_classes"] > 0:
        yield Read(arguments["self"], arguments["num_classes"], False)
    elif node.target in LOSSES:
        shape = arguments["self"].meta["val"].shape
        yield Read(arguments["target"], shape[min(1, len(shape) - 1)], False, arguments["ignore_index"])
    elif node.target in READS:
        yield Read(arguments["index"], arguments["self"].meta["val"].shape[arguments["dim"]], False)
    elif node.target in BY_INDICES:
        indices = arguments["indices"]
        # A mask takes as many axes as it has, so that those behind it are others.
        if not any(index is not None and index.meta["val"].dtype == torch.bool for index in indices):
            yield from (
                Read(index, size, True)
                for index, size in zip(indices, arguments["self"].meta["val"].shape, strict=False)
                if index is not None
            )


def _known(size: Any, inputs: list[fx.Node]) -> int | tuple[int, int] | None:
    """A size as a number, or as that of an input's axis; None where it is neither."""
    if isinstance(size, int):
        return size
    for position, node in enumerate(inputs):
        for axis, own in enumerate(node.meta["val"].shape):
            if same_size(own, size):
                return position, axis
    return None
