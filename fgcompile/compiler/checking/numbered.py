"""Where what a graph computes of its batch's size alone first tells samples apart: by evaluating that for a large one.

(arange(N) // 32)[:, None]     the 33rd sample has another number than the first
N // 65                        a batch of 65 has another number than smaller ones
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, fx

from fgcompile.compiler.ir.graphs import tensors_given
from fgcompile.compiler.ir.nodes import is_random
from fgcompile.compiler.ir.sizes import hint, is_fixed
from fgcompile.compiler.ir.torch_internals import evaluated, expression, pytree, symbols_in

LARGEST = 1024
"""The batch for which it is evaluated."""

_ELEMENTS = 2**24
"""Of a value at most; larger ones, masks of each sample with each say, are left out."""


def told_apart_at(graph: fx.Graph, batch: Any, counting: Iterable[fx.Node]) -> Iterator[int]:
    """The numbers of samples with which a value first differs from what fewer, or the samples before, have.

    Args:
        graph: The graph.
        batch: The symbol of the batch's size.
        counting: The nodes whose values are asked for.
    """
    numbers = {**_examples(graph), batch: LARGEST}
    values = _of_sizes(graph, numbers)
    for node in counting:
        size = node.meta.get("val")
        if isinstance(size, torch.SymInt):
            yield from _of_size(size, batch, numbers)
        elif isinstance(size, Tensor) and node in values and any(user not in values for user in node.users):
            axes = [axis for axis, one in enumerate(size.shape) if batch in symbols_in(one)]
            yield from _of_rows(values[node], axes)


def _of_size(size: torch.SymInt, batch: Any, numbers: Mapping[Any, int]) -> Iterator[int]:
    """Where a size is no longer what its growth from one sample to two says."""
    first, second = (evaluated(size, {**numbers, batch: count}) for count in (1, 2))
    grown = (first + (count - 1) * (second - first) for count in range(3, LARGEST + 1))
    for count, expected in enumerate(grown, 3):
        if evaluated(size, {**numbers, batch: count}) != expected:
            yield count
            return


def _of_rows(value: Tensor, axes: list[int]) -> Iterator[int]:
    """Where along the samples' axis a value no longer grows as from the first sample to the second."""
    for axis in axes:
        steps = value.double().movedim(axis, 0).reshape(value.shape[axis], -1).diff(dim=0)
        other = (steps != steps[:1]).any(1).nonzero()
        if len(other):
            yield int(other[0]) + 2


def _of_sizes(graph: fx.Graph, numbers: Mapping[Any, int]) -> Mapping[fx.Node, Any]:
    """The values of all that is computed of sizes and constants."""
    values: dict[fx.Node, Any] = {}
    for node in graph.nodes:
        size = node.meta.get("val")
        if node.op == "get_attr":
            values[node] = getattr(graph.owning_module, str(node.target))
        elif isinstance(size, torch.SymInt) and symbols_in(size) <= numbers.keys():
            values[node] = evaluated(size, numbers)
        elif _is_of_values(node, values) and _elements(size, numbers) <= _ELEMENTS:
            with suppress(RuntimeError, IndexError):  # of a table, say, that has fewer rows than samples
                values[node] = _evaluate(node, values)
    return values


def _is_of_values(node: fx.Node, values: Mapping[fx.Node, Any]) -> bool:
    return node.op == "call_function" and not is_random(node) and all(one in values for one in node.all_input_nodes)


def _evaluate(node: fx.Node, values: Mapping[fx.Node, Any]) -> Any:
    args, kwargs = fx.map_arg((node.args, node.kwargs), lambda source: values[source])
    assert callable(node.target)
    with torch.no_grad():
        return node.target(*args, **kwargs)


def _elements(value: Any, numbers: Mapping[Any, int]) -> float:
    """How many numbers a value holds; too many where a size of it is not known."""
    shapes = [leaf.shape for leaf in pytree.tree_leaves(value) if isinstance(leaf, Tensor)]
    if not all(symbols_in(size) <= numbers.keys() for shape in shapes for size in shape):
        return math.inf
    return sum(math.prod(evaluated(size, numbers) for size in shape) for shape in shapes)


def _examples(graph: fx.Graph) -> dict[Any, int]:
    """The dynamic sizes of what a graph takes, by symbol, at the example's."""
    sizes: list[Any] = [size for value in tensors_given(graph) for size in value.shape if not is_fixed(size)]
    return {expression(size): hint(size) for size in sizes if expression(size).is_Symbol}
