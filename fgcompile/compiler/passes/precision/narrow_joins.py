"""Halves that are joined are widened and scaled once, as what is joined, and not each by itself.

cat([float(a) · s, float(b) · t])  →  float(cat([a, b])) · [s … s t … t]

On a graphics card each operator on a few numbers takes as long as one on many: ψ joins three for each term.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import fx

from fgcompile.compiler.ir.annotations import is_aggregation
from fgcompile.compiler.ir.nodes import bind
from fgcompile.compiler.ir.rounding import HALF
from fgcompile.compiler.ir.runner import as_pass
from fgcompile.compiler.ir.sizes import hint, is_fixed

aten = torch.ops.aten


@dataclass(frozen=True)
class _Operand:
    """What a join is given.

    Attributes:
        value: The value; in halves where it was widened only to be joined.
        factor: What it was multiplied by since.
        is_half: Whether it is in halves.
    """

    value: fx.Node
    factor: float = 1.0
    is_half: bool = False


@as_pass(requires=("lower_precision",), stale_values=True)
def narrow_joins(graph_module: fx.GraphModule) -> bool:
    """Rewrites the aggregation in place; whether halves were widened before they were joined."""
    joins = graph_module.graph.find_nodes(op="call_function", target=aten.cat.default)
    return any([_narrow(graph_module, node) for node in joins if is_aggregation(node)])  # noqa: C419 - each of them


def _narrow(graph_module: fx.GraphModule, node: fx.Node) -> bool:
    bound = bind(node)
    operands = [_peeled(graph_module, operand, bound["dim"]) for operand in bound["tensors"]]
    runs = [(is_half, list(run)) for is_half, run in groupby(operands, lambda operand: operand.is_half)]
    if not any(is_half and len(run) > 1 for is_half, run in runs):
        return False
    parts: list[fx.Node] = []
    for number, (is_half, run) in enumerate(runs):
        if is_half:
            name = f"{node.name}_factors_{number}"
            parts.append(_join(graph_module, node, run, name))
        else:
            parts += [operand.value for operand in run]
    if len(parts) == 1:
        node.replace_all_uses_with(parts[0])
    else:
        node.args = (parts, bound["dim"])
    return True


def _peeled(graph_module: fx.GraphModule, operand: fx.Node, axis: int) -> _Operand:
    """What an operand was before it was widened and scaled, where its size along the axis is a number."""
    value, factor = operand, 1.0
    while value.target is aten.mul.Tensor and (scale := _number(graph_module, value.args[1])) is not None:
        assert isinstance(value.args[0], fx.Node)
        value, factor = value.args[0], factor * scale
    if value.target is not aten._to_copy.default or not is_fixed(operand.meta["val"].shape[axis]):
        return _Operand(operand)
    (half,) = value.all_input_nodes
    same = half.meta["val"].shape == operand.meta["val"].shape
    return _Operand(half, factor, True) if same and half.meta["val"].dtype in HALF else _Operand(operand)


def _number(graph_module: fx.GraphModule, value: fx.node.Argument) -> float | None:
    """A scale that is one number, written or a constant."""
    if isinstance(value, fx.Node) and value.op == "get_attr":
        constant = getattr(graph_module, str(value.target))
        return float(constant) if constant.numel() == 1 else None
    return float(value) if isinstance(value, int | float) else None


def _join(graph_module: fx.GraphModule, node: fx.Node, run: Sequence[_Operand], name: str) -> fx.Node:
    """A run of halves as one value in float32."""
    graph, axis, shape = node.graph, bind(node)["dim"], node.meta["val"].shape
    sizes = torch.tensor([hint(operand.value.meta["val"].shape[axis]) for operand in run])
    factors = torch.tensor([operand.factor for operand in run]).repeat_interleave(sizes)
    by_axis = [1] * len(shape)
    by_axis[axis] = -1
    graph_module.register_buffer(name, factors.reshape(by_axis))
    with graph.inserting_before(node):
        joined = graph.call_function(aten.cat.default, ([operand.value for operand in run], axis))
        wide = graph.call_function(aten._to_copy.default, (joined,), {"dtype": torch.float32})
        result = graph.call_function(aten.mul.Tensor, (wide, graph.get_attr(name)))
    for made in (joined, wide, result):
        made.meta = {key: value for key, value in node.meta.items() if key != "val"}
    return result
