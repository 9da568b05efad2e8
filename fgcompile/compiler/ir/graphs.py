"""Graphs: copies of them, calls put into them, and fake tensors on every node."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import SymInt, Tensor, fx

from fgcompile.compiler.ir.torch_internals import (
    DimDynamic,
    FakeTensor,
    FakeTensorMode,
    OpOverload,
    StatelessSymbolicContext,
    enable_python_dispatcher,
    pytree,
)
from fgcompile.compiler.ir.widened import Widened

VIEWS = (torch.ops.aten.view.default, torch.ops.aten._unsafe_view.default)
"""Operators that count on strides, which a later stage may change, so that they become reshapes."""

RESHAPES = (*VIEWS, torch.ops.aten.reshape.default)
"""Operators that give a tensor other sizes."""


ANY_SIZE = 3
"""The example of a new symbolic size."""


class _Propagator(fx.Interpreter):
    """Evaluates a graph over fake tensors and leaves each node's value in ``meta["val"]``."""

    def __init__(self, graph_module: fx.GraphModule, mode: FakeTensorMode) -> None:
        super().__init__(graph_module)
        self.mode = mode

    def run_node(self, node: fx.Node) -> Any:
        value = super().run_node(node)
        if node.op != "output":
            node.meta["val"] = value
        return value

    def get_attr(self, target: Any, args: Any, kwargs: Any) -> Any:
        return fake(super().get_attr(target, args, kwargs), self.mode)


def propagate_shapes(graph_module: fx.GraphModule) -> None:
    """Recomputes ``meta["val"]`` of every node from those of the placeholders."""
    values = [node.meta["val"] for node in graph_module.graph.find_nodes(op="placeholder")]
    mode = fake_mode(graph_module.graph)
    # Without the Python dispatcher, some operators in C++ read a symbolic size as a number and so fix it.
    with mode, torch.no_grad(), enable_python_dispatcher():
        _Propagator(graph_module, mode).run(*values)


def copy_graph(graph_module: fx.GraphModule) -> fx.GraphModule:
    """A copy to rewrite: the graph is new, the parameters and buffers are shared."""
    return fx.GraphModule(graph_module, copy.deepcopy(graph_module.graph))


def fake_mode(graph: fx.Graph) -> FakeTensorMode:
    """The fake mode, with its symbolic dimensions, that the graph's values live in."""
    for node in graph.find_nodes(op="placeholder"):
        value = node.meta.get("val")
        if isinstance(value, FakeTensor):
            return value.fake_mode
    raise AssertionError("a captured graph has at least one tensor input")


def tensors_given(graph: fx.Graph) -> list[Tensor]:
    """The fake tensors of what a graph takes."""
    given = pytree.tree_leaves([node.meta.get("val") for node in graph.find_nodes(op="placeholder")])
    return [leaf for leaf in given if isinstance(leaf, Tensor)]


def insert_call(before: fx.Node, like: fx.Node, operator: OpOverload, *args: Any, **kwargs: Any) -> fx.Node:
    """A new call in front of a node, in the layer that another node belongs to, and the shape of its value."""
    with before.graph.inserting_before(before):
        node = before.graph.call_function(operator, args, kwargs)
    node.meta = {**like.meta, "val": call_over_fakes(node)}
    return node


def call_over_fakes(node: fx.Node) -> Any:
    """What a node's call returns for the fake tensors of its operands."""
    operator: Any = node.target
    operands, options = fx.map_arg((node.args, node.kwargs), lambda source: source.meta["val"])
    with fake_mode(node.graph), torch.no_grad(), enable_python_dispatcher():
        return operator(*operands, **options)


def fake(tensor: Tensor, mode: FakeTensorMode) -> Tensor:
    """A fake of a constant: without ``static_shapes`` its sizes would become symbols that equal the batch size."""
    if isinstance(tensor, Widened):
        with mode:
            return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=tensor.device)
    return mode.from_tensor(tensor.detach(), static_shapes=True)


def any_size(mode: FakeTensorMode) -> int | SymInt:
    """A new symbolic size."""
    context: Any = StatelessSymbolicContext(dynamic_sizes=[DimDynamic.DYNAMIC])
    return mode.from_tensor(torch.empty(ANY_SIZE), symbolic_context=context).shape[0]


def ancestors(nodes: Iterable[fx.Node], stop: Callable[[fx.Node], bool] = lambda node: False) -> set[fx.Node]:
    """The nodes and all that they are computed from, but for what lies behind those at which to stop."""
    return _reached(nodes, lambda node: [] if stop(node) else node.all_input_nodes)


def descendants(nodes: Iterable[fx.Node]) -> set[fx.Node]:
    """The nodes and all that is computed from them."""
    return _reached(nodes, lambda node: node.users)


def _reached(nodes: Iterable[fx.Node], following: Callable[[fx.Node], Iterable[fx.Node]]) -> set[fx.Node]:
    found: set[fx.Node] = set()
    pending = list(nodes)
    while pending:
        node = pending.pop()
        if node not in found:
            found.add(node)
            pending.extend(following(node))
    return found
