"""Indices that are computed from an input are held to their axis as the artifact runs, where nothing else does.

    E[i]   →  E[p[i]],  p = arange(len(E))      i of whole axes, -len(E) ≤ i < len(E), where ends count
    E[i]   →  E[p[j]],  j = i < 0 ? ∞ : i       where they do not

Reading ``p`` fails at an index that it does not have. Behind it such an index would be another place, or none at all: a
row of zeros, where a product with a 0/1 matrix stands for reading and writing.

Left as they are: inputs, which are held to an axis before they are run (``index_ranges``), what does not depend on an
input, and what can have no value out of range (``intervals``).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, fx
from torch.export import ExportedProgram

from fgcompile.compiler.capture.index_ranges import (
    Origin,
    Read,
    find_indexed_axes,
    find_reads,
    program_inputs,
    writes_integers,
)
from fgcompile.compiler.capture.intervals import Interval, find_intervals
from fgcompile.compiler.ir.graphs import insert_call
from fgcompile.compiler.ir.nodes import layer_name
from fgcompile.compiler.ir.sizes import is_fixed

aten = torch.ops.aten

BEYOND = 2**31 - 1
"""An index that no axis has."""


def guard_indices(exported: ExportedProgram, graph: fx.Graph) -> None:
    """Rewrites the calls of a program's graph whose indices may be out of range."""
    for node, read in _free_reads(exported, graph):
        node.replace_input_with(read.index, _guarded(node, read))


def find_tables(exported: ExportedProgram) -> tuple[tuple[str, int], ...]:
    """The layers of an exported program that read tables at such indices, and how many places these have."""
    found = [
        (layer_name(node), int(read.size))
        for node, read in _free_reads(exported, exported.graph)
        if is_fixed(read.size) and isinstance(node.args[0], fx.Node) and node.args[0].op == "placeholder"
    ]
    return tuple(dict.fromkeys(found))


def _free_reads(exported: ExportedProgram, graph: fx.Graph) -> list[tuple[fx.Node, Read]]:
    """The calls whose indices may be out of range, and what these are."""
    given = {} if writes_integers(graph) else _given(exported)
    intervals = find_intervals(exported, graph, given)
    dependent = _dependent(exported, graph)
    found = []
    for node, read, origin in find_reads(exported, graph):
        if _is_held(read, origin) or read.index not in dependent:
            continue
        lowest = -read.size if read.from_end and is_fixed(read.size) else 0
        if not intervals.get(read.index, Interval()).lies_in(lowest, read.size):
            found.append((node, read))
    return found


def _is_held(read: Read, origin: Origin | None) -> bool:
    """Whether an input is, or part of it; and whether there is an index at all."""
    return origin is not None or not isinstance(read.index, fx.Node)


def _given(exported: ExportedProgram) -> dict[str, Interval]:
    """Where the inputs lie that are held to an axis of fixed size as a whole."""
    found = {}
    for node, axes in zip(program_inputs(exported, exported.graph), find_indexed_axes(exported), strict=True):
        low, high = -math.inf, math.inf
        for axis in axes:
            if isinstance(axis.size, int) and axis.part is None and axis.ignored is None:
                low = max(low, (-axis.size if axis.from_end else 0) - axis.offset)
                high = min(high, axis.size - 1 - axis.offset)
        found[node.name] = Interval(low, high)
    return found


def _dependent(exported: ExportedProgram, graph: fx.Graph) -> set[fx.Node]:
    """The tensors that an input's values decide: not those that its sizes do."""
    found: set[fx.Node] = set()
    for node in graph.nodes:
        value = node.meta.get("val")
        own = node.op == "placeholder" and node.name in exported.graph_signature.user_inputs
        if isinstance(value, Tensor | tuple | list) and (own or found.intersection(node.all_input_nodes)):
            found.add(node)
    return found


def _guarded(node: fx.Node, read: Read) -> fx.Node:
    """The index, read from a table of the axis's places; what is to be ignored passes by it."""
    index: Any = read.index
    size: Any = read.size
    if not isinstance(size, int):
        size = _size(node, read)
    table = insert_call(node, node, aten.arange.default, size, device=index.meta["val"].device)
    asked = index
    if read.ignored is not None:
        ignored = insert_call(node, node, aten.eq.Scalar, index, read.ignored)
        asked = insert_call(node, node, aten.masked_fill.Scalar, index, ignored, 0)
    asked = insert_call(node, node, aten.to.dtype, asked, torch.int64)
    if not read.from_end:
        asked = insert_call(node, node, aten.masked_fill.Scalar, asked, _below(node, asked), BEYOND)
    found = insert_call(node, node, aten.index.Tensor, table, [asked])
    return found if read.ignored is None else insert_call(node, node, aten.where.self, ignored, index, found)


def _below(node: fx.Node, index: fx.Node) -> fx.Node:
    return insert_call(node, node, aten.lt.Scalar, index, 0)


def _size(node: fx.Node, read: Read) -> fx.Node:
    """The size of the axis that is read, as a node: that of the operand."""
    source: Any = node.args[0]
    axis = next(axis for axis, size in enumerate(source.meta["val"].shape) if str(size) == str(read.size))
    return insert_call(node, node, aten.sym_size.int, source, axis)
