"""How long a sequence a model takes: up to where a table of positions ends, in which it reads by size alone.

E[arange(L) + 2]      L ≤ len(E) − 2, which the indices say at each L
p[:, :L] + x          L ≤ p.shape[1], which PyTorch notes as the range of the size

Where positions depend on values too, on a mask say, the graph itself refuses (``index_guards``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, fx
from torch.export import ExportedProgram

from fgcompile.compiler.capture.index_ranges import Read, find_reads, program_inputs
from fgcompile.compiler.ir.graphs import ancestors
from fgcompile.compiler.ir.sizes import hint, is_fixed
from fgcompile.compiler.ir.torch_internals import evaluated, expression, size_range, symbol_of

ROOM = 2**22
"""Elements of indices that are computed to see whether they lie in a table."""

Longest = tuple[Mapping[int, int], ...]
"""For each input the largest size of each axis that has one."""


def find_longest(exported: ExportedProgram) -> Longest:
    """The largest sizes that an exported program takes, beside the batch's."""
    inputs = program_inputs(exported, exported.graph)
    example = {
        symbol_of(size): hint(size) // evaluated(size, {symbol_of(size): 1})
        for node in inputs
        for size in node.meta["val"].shape
        if not is_fixed(size)
    }
    tables = _read_by_size(exported)
    batch = {symbol_of(node.meta["val"].shape[0]) for node in inputs if not is_fixed(node.meta["val"].shape[0])}
    most = {symbol: _most(exported, tables, example, symbol) for symbol in example.keys() - batch}
    return tuple(
        {
            axis: evaluated(size, {symbol_of(size): found})
            for axis, size in enumerate(node.meta["val"].shape)
            if not is_fixed(size) and (found := most.get(symbol_of(size))) is not None
        }
        for node in inputs
    )


def _read_by_size(exported: ExportedProgram) -> list[tuple[Read, list[fx.Node]]]:
    """The reads of tables at what depends on sizes and constants alone, and the calls that compute it."""
    own = set(program_inputs(exported, exported.graph))
    found = []
    for _, read, _ in find_reads(exported, exported.graph):
        index: Any = read.index
        if isinstance(index, fx.Node) and is_fixed(read.size):
            needed = ancestors([index], stop=_is_size)
            if not own & needed:
                found.append((read, [node for node in exported.graph.nodes if node in needed]))
    return found


def _is_size(node: fx.Node) -> bool:
    return isinstance(node.meta.get("val"), torch.SymInt)


def _most(
    exported: ExportedProgram, tables: list[tuple[Read, list[fx.Node]]], example: Mapping[Any, int], symbol: Any
) -> int | None:
    """The largest number of a symbol that nothing refuses; None where nothing does."""
    size = next(
        size
        for node in program_inputs(exported, exported.graph)
        for size in node.meta["val"].shape
        if not is_fixed(size) and symbol_of(size) == symbol
    )
    _, highest = size_range(exported, size) if expression(size) == symbol else (0, None)
    found = [] if highest is None else [highest]
    for read, nodes in tables:
        longest = _longest_of(exported, read, nodes, example, symbol)
        found += [] if longest is None else [longest]
    return min(found, default=None)


def _longest_of(
    exported: ExportedProgram, read: Read, nodes: list[fx.Node], example: Mapping[Any, int], symbol: Any
) -> int | None:
    """The largest number of a symbol at which the indices lie in the table, by doubling and then by bisection."""
    fits, beyond = example[symbol], 2 * example[symbol]
    while _lies_in(exported, read, nodes, {**example, symbol: beyond}):
        fits, beyond = beyond, 2 * beyond
        numbers = {**example, symbol: beyond}
        if beyond > 4 * int(read.size) + 64 or _elements(nodes, numbers) > ROOM:
            return None
    while beyond - fits > 1:
        middle = (fits + beyond) // 2
        lies = _lies_in(exported, read, nodes, {**example, symbol: middle})
        fits, beyond = (middle, beyond) if lies else (fits, middle)
    return fits


def _elements(nodes: list[fx.Node], numbers: Mapping[Any, int]) -> int:
    shapes = [node.meta["val"].shape for node in nodes if isinstance(node.meta.get("val"), Tensor)]
    return max(math.prod(evaluated(size, numbers) for size in shape) for shape in shapes)


def _lies_in(exported: ExportedProgram, read: Read, nodes: list[fx.Node], numbers: Mapping[Any, int]) -> bool:
    """Whether all indices lie in the axis that they are read along, at these numbers.

    A size at which they cannot be computed, as beyond a buffer that a BERT expands, is none that the model takes.
    """
    values: dict[fx.Node, Any] = {}
    for node in nodes:
        if _is_size(node):
            values[node] = evaluated(node.meta["val"], numbers)
        elif node.op == "placeholder":
            values[node] = _constant(exported, node.name)
        else:
            args, kwargs = fx.map_arg((node.args, node.kwargs), values.__getitem__)
            try:
                values[node] = node.target(*args, **kwargs)  # type: ignore[operator]
            except (RuntimeError, IndexError):
                return False
    index = values[read.index]
    lowest = -int(read.size) if read.from_end else 0
    return bool(((index >= lowest) & (index < int(read.size))).all())


def _constant(exported: ExportedProgram, name: str) -> Any:
    """The value of a parameter, buffer or constant, by its placeholder's name."""
    signature = exported.graph_signature
    keys = {
        **signature.inputs_to_parameters,
        **signature.inputs_to_buffers,
        **signature.inputs_to_lifted_tensor_constants,
    }
    key = keys[name]
    return exported.state_dict.get(key, exported.constants.get(key))
