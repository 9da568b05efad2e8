"""Evaluates every node that depends on no input of the program, once and for all.

A constant is stored without the copies that an expansion makes of it, and expanded where it is used: a weight that is
broadcast to every token would otherwise be stored once a token. A matrix that is used as it is and transposed, as the
weight of a linear layer forward and backward, is stored once: the other is a view, which costs nothing, or which a
runtime evaluates when it loads.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, fx

from fgcompile.compiler.ir.nodes import is_random
from fgcompile.compiler.ir.runner import as_pass
from fgcompile.compiler.ir.torch_internals import OpOverload, pytree
from fgcompile.compiler.ir.widened import address

aten = torch.ops.aten


@as_pass(requires=("replace_mutations",))
def fold_constants(graph_module: fx.GraphModule) -> bool:
    """Rewrites the graph in place: a constant tensor that something else uses becomes an attribute; whether one did.

    Only the last of a chain of constants is stored, the one that a node uses which is no constant. The attributes that
    there are come first, so that a result that is a view of one is made of it and not stored again.
    """
    graph, changed = graph_module.graph, False
    values = _constants(graph_module)
    needed = {
        node: value
        for node, value in values.items()
        if isinstance(value, Tensor) and any(user not in values for user in node.users)
    }
    store = _Store(graph_module, needed.values())
    for node, value in needed.items():
        if node.op == "get_attr":
            store.know(str(node.target), value)
    for node, value in needed.items():
        if node.op == "get_attr":
            continue
        with graph.inserting_before(node):
            folded = store.node(f"folded_{node.name}", value, node.meta["val"])
        node.replace_all_uses_with(folded, delete_user_cb=lambda user: user not in values)
        changed = True
    return changed


def _constants(graph_module: fx.GraphModule) -> dict[fx.Node, Any]:
    """The value of each node that depends on no input."""
    values: dict[fx.Node, Any] = {}
    for node in graph_module.graph.nodes:
        if node.op == "get_attr":
            values[node] = getattr(graph_module, str(node.target))
        elif node.op == "call_function" and _is_constant(node, values):
            args, kwargs = fx.map_arg((node.args, node.kwargs), lambda n: values[n])
            assert callable(node.target)
            with torch.no_grad():
                values[node] = node.target(*args, **kwargs)
    return values


Axes = tuple[tuple[int, int], ...]
"""Stride and size of each."""


class _Store:
    """The constants that are attributes of a graph, by the memory that they are views of."""

    def __init__(self, graph_module: fx.GraphModule, needed: Iterable[Tensor]) -> None:
        self._graph_module = graph_module
        self._forms: dict[Any, set[Any]] = defaultdict(set)
        for value in map(_without_copies, needed):
            self._forms[_memory(_without_ones(value))].add(_memory(value))
        self._stored: dict[Any, tuple[str, Axes]] = {}

    def know(self, name: str, value: Tensor) -> None:
        """Takes note of an attribute that there is."""
        self._stored.setdefault(_memory(value), (name, _axes(value)))

    def node(self, name: str, value: Tensor, val: Tensor) -> fx.Node:
        """The node of a constant, stored if need be, and expanded where it repeats itself along an axis."""
        compact = _without_copies(value)
        if len(self._forms[_memory(_without_ones(compact))]) > 1:  # it is needed without these axes too
            compact = _without_ones(compact)
        node = self._compact(name, compact, val)
        if compact.shape == value.shape:
            return node
        return self._call(aten.expand.default, node, list(value.shape), val=val)

    def _compact(self, name: str, value: Tensor, like: Tensor) -> fx.Node:
        """The node of a constant without copies; its transpose, where only that is stored."""
        memory = _memory(value)
        if memory not in self._stored:
            self._graph_module.register_buffer(name, value.contiguous())
            self.know(name, value)
        stored, axes = self._stored[memory]
        node = self._graph_module.graph.get_attr(stored)
        node.meta = {"val": like.new_empty([size for _, size in axes])}
        return node if axes == _axes(value) else self._call(aten.t.default, node, val=like.new_empty(value.shape))

    def _call(self, operator: OpOverload, *args: Any, val: Tensor) -> fx.Node:
        node = self._graph_module.graph.call_function(operator, args)
        node.meta = {"val": val}
        return node


def _axes(value: Tensor) -> Axes:
    return tuple(zip(value.stride(), value.shape, strict=True))


def _memory(value: Tensor) -> Any:
    """What a matrix and its transpose have in common, and constants of other values have not."""
    axes = sorted(_axes(value)) if value.ndim == 2 else _axes(value)
    return value.dtype, address(value) if value.numel() else id(value), tuple(axes)


def _without_copies(value: Tensor) -> Tensor:
    """One position of each axis along which an expansion repeats; leading axes are dropped, since expansion adds them.

    A stride of 0 is how PyTorch says that an axis repeats.
    """
    for axis, stride in enumerate(value.stride()):
        if stride == 0:
            value = value.narrow(axis, 0, 1)
    while value.ndim > 0 and value.shape[0] == 1 and value.stride(0) == 0:
        value = value[0]
    return value


def _without_ones(value: Tensor) -> Tensor:
    """Without leading axes of size 1, which an expansion adds."""
    while value.ndim > 2 and value.shape[0] == 1:
        value = value[0]
    return value


def _is_constant(node: fx.Node, values: dict[fx.Node, Any]) -> bool:
    if is_random(node) or any(source not in values for source in node.all_input_nodes):
        return False
    # A symbolic size in the result would mean that the node depends on the batch after all.
    sizes = [leaf for leaf in pytree.tree_leaves(node.meta.get("val")) if isinstance(leaf, Tensor)]
    return all(isinstance(size, int) for leaf in sizes for size in leaf.shape)
