"""In-place operators that autograd calls become functional ones, before equal subexpressions are shared.

    masked_fill_(x, m, v)  →  masked_fill(x, m, v)

Two gradients of ``maximum`` begin as one expression and are then masked in place, each by its own mask. The traced
graph already reads the result, not the operand, wherever the mutated tensor is used later. What is changed in place
keeps its dtype, so a functional operator that returns another is followed by a cast.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import fx

from fgcompile.compiler.ir.graphs import call_over_fakes, insert_call
from fgcompile.compiler.ir.runner import as_pass
from fgcompile.compiler.ir.torch_internals import OpOverload, schema_of


@as_pass()
def replace_mutations(graph_module: fx.GraphModule) -> bool:
    """Rewrites the graph in place; whether there was a mutation."""
    changed = False
    for node in list(graph_module.graph.nodes):
        if node.op == "call_function" and (functional := _functional(node.target)) is not node.target:
            _call(node, functional)
            changed = True
    return changed


def _call(node: fx.Node, functional: OpOverload) -> None:
    """Makes a node the call of the functional operator, or a cast of it to the dtype that the node has."""
    node.target = functional
    value, dtype = call_over_fakes(node), node.meta["val"].dtype
    if value.dtype != dtype:  # ``logical_not`` of floats
        plain = insert_call(node, node, functional, *node.args, **node.kwargs)
        node.target, node.args, node.kwargs = torch.ops.aten._to_copy.default, (plain,), {"dtype": dtype}


def _functional(target: Any) -> Any:
    """The functional form of an in-place operator, which takes the same arguments; anything else as it is.

    Overloads may bear another name: ``pow_.Scalar`` is ``pow.Tensor_Scalar``.
    """
    if not isinstance(target, OpOverload) or not schema_of(target).is_mutable:
        return target
    name = target.overloadpacket.__name__
    if not name.endswith("_"):
        return target
    packet = getattr(getattr(torch.ops, target.namespace), name.removesuffix("_"))
    overloads = [getattr(packet, overload) for overload in packet.overloads()]
    return next(overload for overload in overloads if _arguments(overload) == _arguments(target))


def _arguments(operator: OpOverload) -> list[tuple[str, str]]:
    return [(argument.name, str(argument.type)) for argument in schema_of(operator).arguments]
