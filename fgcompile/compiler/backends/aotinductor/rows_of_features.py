"""Layer normalisations, and what acts on each element between linear layers, see rows ``(N·H·W, C)``.

    op(view(x, [N, H, W, C]), …)  →  view(op(x, …), [N, H, W, C])     for the rows x (N·H·W, C) of products

Inductor takes every tensor of four axes near a convolution for channels first, and lays what is read twice out with the
second axis innermost. Of features whose channels are last already that is a height, and the kernels that read it
gathered each number by itself (``docs/decisions/rows-of-features.md``).
"""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import Tensor, fx

from fgcompile.compiler.backends.aotinductor.rows import insert_rows, view_sizes
from fgcompile.compiler.backends.aotinductor.stack_channels_last import CHANNELS_LAST
from fgcompile.compiler.ir.graphs import RESHAPES, insert_call
from fgcompile.compiler.ir.nodes import bind
from fgcompile.compiler.ir.runner import as_pass
from fgcompile.compiler.ir.sizes import is_fixed, same_size
from fgcompile.compiler.ir.torch_internals import OpOverload

aten = torch.ops.aten

OVER_CHANNELS = (aten.mean.dim, aten.sum.dim_IntList)
"""Reductions, where they keep the axis."""


@as_pass()
def rows_of_features(graph_module: fx.GraphModule) -> bool:
    """Rewrites the graph in place; whether there were such operators. Every node's ``meta["val"]`` is kept up."""
    changed, rows = False, _Rows()
    for node in list(graph_module.graph.nodes):
        if rows.is_view_back(node):
            # A product that reads rows by no view of a view has them stored, so that others read them there.
            node.replace_all_uses_with(rows.of(node.args[0], node))
            node.graph.erase_node(node)
        elif node.target is aten.native_layer_norm.default:
            changed |= _normalise_rows(node, rows)
        elif _acts_on_rows(node, rows):
            _act_on_rows(node, rows)
            changed = True
        else:
            rows.find(node)
    return changed


class _Rows:
    """The rows ``(M, C)`` of the features in a graph, of those that have some."""

    def __init__(self) -> None:
        self.known: dict[fx.Node, fx.Node] = {}
        self.turned: set[fx.Node] = set()

    def find(self, node: fx.Node) -> None:
        """Notes a node that is a view of rows, or brings the channels of a picture to the end."""
        features = _features(node)
        if features is None:
            return
        if node.target is aten.permute.default and node.args[1] == CHANNELS_LAST:
            self.turned.add(node)
        elif node.target in RESHAPES:
            source = node.args[0]
            assert isinstance(source, fx.Node)
            shape = source.meta["val"].shape
            if len(shape) == 2 and same_size(shape[1], features.shape[3]):
                self.known[node] = source

    def __contains__(self, node: object) -> bool:
        return node in self.known or node in self.turned

    def of(self, node: Any, before: fx.Node) -> fx.Node:
        """The rows of features, made in front of a node where they are not yet."""
        if node not in self.known:
            # What a convolution made lies with its channels last, in order.
            self.known[node] = insert_rows(before, node, node, int(node.meta["val"].shape[3]))
        return self.known[node]

    def view(self, node: fx.Node, flat: fx.Node) -> None:
        """Makes a node the view of rows."""
        node.target, node.args, node.kwargs = aten.view.default, (flat, view_sizes(node.meta["val"].shape)), {}
        self.known[node] = flat

    def is_view_back(self, node: fx.Node) -> bool:
        """Whether a node views features as their rows again."""
        if node.target not in RESHAPES or node.args[0] not in self.known:
            return False
        source: Any = node.args[0]
        shape, own = self.known[source].meta["val"].shape, node.meta["val"].shape
        return len(shape) == len(own) and all(map(same_size, shape, own))


def _features(node: fx.Node) -> Tensor | None:
    """A node's value ``(N, H, W, C)`` or ``(N, H, W, 1)`` with one size at most that is not known."""
    value = node.meta.get("val")
    if not isinstance(value, Tensor) or value.ndim != 4 or not is_fixed(value.shape[3]):
        return None
    return value if sum(not is_fixed(size) for size in value.shape) <= 1 else None


def _acts_on_rows(node: fx.Node, rows: _Rows) -> bool:
    """Whether an operator does to features what it does to their rows, all of whose operands have some.

    An operand of one axis at most serves rows as it is.
    """
    features = _features(node)
    if features is None or not isinstance(node.target, OpOverload):
        return False
    if not any(operand in rows for operand in node.all_input_nodes):
        return False
    if node.target in OVER_CHANNELS:
        arguments = bind(node)
        return arguments["dim"] in ([3], [-1]) and bool(arguments["keepdim"])
    if torch.Tag.pointwise not in node.target.tags:
        return False
    return all(_fits(operand, features, rows) for operand in node.all_input_nodes)


def _fits(operand: fx.Node, features: Tensor, rows: _Rows) -> bool:
    own = operand.meta.get("val")
    if not isinstance(own, Tensor) or own.ndim <= 1:
        return True
    return operand in rows and all(map(same_size, own.shape[:3], features.shape[:3]))


def _act_on_rows(node: fx.Node, rows: _Rows) -> None:
    def take(operand: fx.Node) -> fx.Node:
        return rows.of(operand, node) if operand in rows else operand

    args, kwargs = fx.map_arg((node.args, node.kwargs), take)
    if node.target in OVER_CHANNELS:
        args = (args[0], [1], *args[2:])
    assert isinstance(node.target, OpOverload)
    rows.view(node, insert_call(node, node, node.target, *args, **kwargs))


def _normalise_rows(node: fx.Node, rows: _Rows) -> bool:
    """Normalises the rows of features over their channels; whether the layer does."""
    x, sizes, *others = node.args
    assert isinstance(x, fx.Node)
    assert isinstance(sizes, list)
    if _features(x) is None or len(sizes) != 1:
        return False
    layer: OpOverload = aten.native_layer_norm.default
    normalised = insert_call(node, node, layer, rows.of(x, node), sizes, *others)
    for reader in list(node.users):
        index: Any = reader.args[1]
        with node.graph.inserting_before(reader):
            part = node.graph.call_function(operator.getitem, (normalised, index))
        part.meta = {**reader.meta, "val": normalised.meta["val"][index]}
        rows.view(reader, part)
    node.graph.erase_node(node)
    return True
