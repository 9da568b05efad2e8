"""A rule is an equation: a plain function of tensors, traced into the graph in place of the call that it rewrites.

It takes the operator's arguments by name, computes the operator's value, and marks by ``detach`` what counts as a
constant when that is differentiated.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any

import torch
from torch import Tensor, fx
from torch._dispatch.python import enable_python_dispatcher
from torch._ops import OpOverload
from torch.fx.experimental.proxy_tensor import make_fx

from fgcompile.compiler.ir.graphs import fake_mode
from fgcompile.compiler.ir.nodes import bind

Equation = Callable[..., Tensor]
"""Maps an operator's arguments, by the names of its schema, to its output; of several outputs, to the first.

It is written with operators that the bias table knows: what it calls is not decomposed again.
"""


@dataclass(frozen=True)
class Rewritable:
    """A call of an operator that a gradient flows back through, as a row sees it when it chooses an equation.

    Attributes:
        node: The call.
        active: The nodes that carry a gradient.
        weights: Those of them that are gates or weights, see ``fgcompile.compiler.rules.weights``.
    """

    node: fx.Node
    active: Container[fx.Node]
    weights: Container[fx.Node]

    @property
    def operator(self) -> OpOverload:
        """The operator that is called."""
        assert isinstance(self.node.target, OpOverload)
        return self.node.target

    @cached_property
    def arguments(self) -> Mapping[str, Any]:
        """The call's arguments by the names of the operator's schema, defaults included."""
        return bind(self.node)

    def is_active(self, name: str) -> bool:
        """Whether the argument carries a gradient."""
        return self.arguments[name] in self.active

    def is_weight(self, name: str) -> bool:
        """Whether the argument is a gate or weight."""
        return self.arguments[name] in self.weights


Rewrite = Callable[[Rewritable], Equation | None]
"""A row: the equation for a call; None where the call stays as it is."""


def where_active(equation: Equation, *names: str) -> Rewrite:
    """The row of one equation, for calls in which each of the named arguments carries a gradient."""

    @wraps(equation)
    def choose(call: Rewritable) -> Equation | None:
        return equation if all(map(call.is_active, names)) else None

    return choose


def inline(equation: Equation, node: fx.Node, place: fx.Node) -> tuple[fx.Node, list[fx.Node]]:
    """Writes an equation of a call's arguments into its graph, in the layer that the call belongs to.

    Args:
        equation: The equation.
        node: The call.
        place: The node to write before: the call, or where it has several outputs the ``getitem`` that picks the first.

    Returns:
        The equation's result, and every node that was written, in order.
    """
    traced, operands = _trace(equation, node)
    values: dict[fx.Node, fx.Node] = dict(zip(traced.find_nodes(op="placeholder"), operands, strict=True))
    written = []
    for step in traced.nodes:
        if step.op != "call_function":
            continue
        with place.graph.inserting_before(place):
            values[step] = place.graph.node_copy(step, values.__getitem__)
        values[step].meta = {**node.meta, "val": step.meta["val"]}
        written.append(values[step])
    (result,) = traced.output_node().args
    assert isinstance(result, fx.Node)
    return values[result], written


def _trace(equation: Equation, node: fx.Node) -> tuple[fx.Graph, list[fx.Node]]:
    """The equation as a graph of its own, and which nodes of the call's graph its placeholders stand for."""
    arguments, operands = bind(node), node.all_input_nodes

    def function(*values: Any) -> Tensor:
        given = dict(zip(operands, values, strict=True))
        return equation(**fx.map_arg(arguments, given.__getitem__))

    # Before dispatch, so that reshape and linear stay one operator each. Without the Python dispatcher, some operators
    # in C++ read a symbolic size as a number and so fix it.
    with fake_mode(node.graph), torch.no_grad(), enable_python_dispatcher():
        traced = make_fx(function, pre_dispatch=True)(*(operand.meta["val"] for operand in operands))
    traced.graph.eliminate_dead_code()
    assert all(step.op != "get_attr" for step in traced.graph.nodes), "an equation makes up no tensors of its own"
    return traced.graph, operands
