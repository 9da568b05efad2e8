"""Which nodes of a graph carry a gradient: those that depend on a floating-point input or on the embedding of an
integer one, nothing detached between.
"""

from __future__ import annotations

import operator
from collections.abc import Container, Iterator, Mapping

import torch
from torch import fx

from fgcompile.compiler.ir.nodes import bind, is_differentiable, layer_name
from fgcompile.compiler.ir.torch_internals import OpOverload

aten = torch.ops.aten

STOPS = (aten.detach.default, aten.full_like.default)
"""Operators through which nothing flows back: ``detach``, and what reads its operand's shape, not its values.

Of the latter, ``zeros_like`` and its kin are taken apart when captured.
"""

STATISTICS = (
    aten.native_layer_norm.default,
    aten._native_batch_norm_legit.no_stats,
)
"""Normalisations, whose mean and deviation autograd takes for constants, should a model read them."""


def is_active(node: fx.Node, active: Container[fx.Node]) -> bool:
    """Whether a node carries a gradient, given which of the nodes before it do."""
    if node.op == "placeholder":
        return is_differentiable(node.meta["val"])
    return (
        node.op == "call_function"
        and node.target not in STOPS
        and not _is_statistic(node)
        and any(source in active for source in node.all_input_nodes)
        and is_differentiable(node.meta["val"])
    )


def _is_statistic(node: fx.Node) -> bool:
    source = node.args[0] if node.target is operator.getitem else None
    return isinstance(source, fx.Node) and source.target in STATISTICS and bool(node.args[1] != 0)


def active_nodes(graph: fx.Graph) -> set[fx.Node]:
    """Every node that carries a gradient."""
    active: set[fx.Node] = set()
    constants: set[fx.Node] = set()
    for node in graph.nodes:
        if node.op == "get_attr" or (node.op == "call_function" and constants.issuperset(node.all_input_nodes)):
            constants.add(node)
        elif is_active(node, active) or is_lookup(node, constants):
            active.add(node)
    return active


def ends_of_gradient(graph: fx.Graph) -> list[str]:
    """The layers in which something that carries a gradient is detached, as ``torch.no_grad`` does too."""
    active = active_nodes(graph)
    detached = (node for node in graph.find_nodes(op="call_function", target=aten.detach.default))
    return list(dict.fromkeys(layer_name(node) for node in detached if active.intersection(node.all_input_nodes)))


TABLES: Mapping[OpOverload, str] = {
    aten.embedding.default: "weight",
    aten.index.Tensor: "self",
    aten.index_select.default: "self",
    aten.gather.default: "self",
}
"""Operators that read a table, and the name of that argument."""


def is_lookup(node: fx.Node, constants: Container[fx.Node]) -> bool:
    """Whether a node reads a table of floats, a constant, at something that is none: at integers of the input.

    A table of matrices that is read at what activations have chosen is none: these are weights, as a mixture of experts
    has them, and what they are multiplied with carries the gradient.
    """
    if node.target not in TABLES or node in constants:
        return False
    table = bind(node)[TABLES[node.target]]  # type: ignore[index]  # an operator of the mapping
    if table not in constants or not is_differentiable(table.meta["val"]):
        return False
    read = [node for source in node.all_input_nodes if source is not table for node in _computed_from(source)]
    chosen = any(source not in constants and is_differentiable(source.meta["val"]) for source in read)
    if chosen and _reads_matrices(node, table):
        return False
    return any(source.op == "placeholder" for source in read)


def _reads_matrices(node: fx.Node, table: fx.Node) -> bool:
    """Whether what is read at an index has two axes or more: neither a row nor a single element."""
    if node.target is aten.index.Tensor:
        indexed = sum(index is not None for index in bind(node)["indices"])
    else:
        indexed = 1 if node.target is aten.index_select.default else table.meta["val"].ndim
    return bool(table.meta["val"].ndim - indexed > 1)


def _computed_from(node: fx.Node) -> Iterator[fx.Node]:
    """What a node's values were computed from: of positions, ``arange(x.shape[1])``, that is the sizes of x alone."""
    seen, left = {node}, [node]
    while left:
        current = left.pop()
        if not isinstance(current.meta.get("val"), torch.Tensor | tuple | list):
            continue
        yield current
        new = [source for source in current.all_input_nodes if source not in seen]
        seen.update(new)
        left += new
