"""Half precision for the network, forward and backward; float32 for whatever sums, normalises or aggregates.

    y = conv(x, w)              →  y = conv(half(x), half(w))
    p = softmax(half(s))        →  p = softmax(float(s))
    t = δ ⊙ b   (aggregation)   →  t = float(δ) ⊙ b
    max |δ|     (aggregation)   →  float(max |δ|)
    w @ |δ|     (aggregation)   →  float((w / Σ|w|) @ |δ|) Σ|w|

Products of tensors compute in half precision; reductions, normalisations and what is steep in float32; everything else
in the precision of its operands. Of the aggregation magnitudes and extremes of halves are halves, exactly, and their
sum over channels is a product, which adds up in float32: of shares of 1, so that it is at most the largest of them:
``docs/decisions/halves.md``.
Inputs and outputs of the graph stay float32.
"""

from __future__ import annotations

import operator
from functools import partial
from typing import Any

import torch
from torch import Tensor, fx

from fgcompile.compiler.ir.annotations import is_aggregation
from fgcompile.compiler.ir.runner import GraphPass
from fgcompile.compiler.passes.precision.late_scales import SELECTING

aten = torch.ops.aten

PRODUCTS = (
    aten.convolution.default,
    aten.mm.default,
    aten.bmm.default,
    aten.addmm.default,
    aten.baddbmm.default,
    aten.matmul.default,
    aten.linear.default,
)
"""Operators that half precision is for: tensor cores compute them, and sum in float32."""

STEEP = (
    aten._softmax,
    aten._log_softmax,
    aten.native_layer_norm,
    aten.native_group_norm,
    aten.var,
    aten.var_mean,
    aten.mean,
    aten.sum,
    aten.cumsum,
    aten.exp,
    aten.log,
    aten.pow,
    aten.sqrt,
    aten.rsqrt,
    aten.reciprocal,
    aten.div,
)
"""Operators whose results or sums leave the range of half precision, or lose in it what the next one needs."""

SUMS = {aten.matmul.default, aten.bmm.default}
"""Products by which the aggregation sums over channels, of a constant row."""


def lower_precision(half: torch.dtype) -> GraphPass:
    """The pass by which an optimised float32 graph computes in ``half`` what can be.

    Args:
        half: ``torch.float16`` or ``torch.bfloat16``.
    """
    rewrite = partial(_lower, half=half)
    return GraphPass(
        "lower_precision", rewrite, ("convert_floats", "late_scales"), changes_dtypes=True, stale_values=True
    )


def _lower(graph_module: fx.GraphModule, half: torch.dtype) -> bool:
    lowering = _Lowering(graph_module, half)
    for node in list(graph_module.graph.nodes):
        lowering.visit(node)
    return True


class _Lowering:
    """Gives every node its precision, in the order of the graph, and casts what does not have it."""

    def __init__(self, graph_module: fx.GraphModule, half: torch.dtype) -> None:
        self.graph_module = graph_module
        self.half = half
        self.precision: dict[fx.Node, torch.dtype] = {}
        self.casts: dict[tuple[fx.Node, torch.dtype], fx.Node] = {}
        self.constants: dict[str, fx.Node] = {}

    def visit(self, node: fx.Node) -> None:
        """Decides for one node, whose operands have been visited."""
        if node.op in ("placeholder", "get_attr"):
            self.precision[node] = torch.float32
            return
        if node.target is operator.getitem:
            source = node.args[0]
            assert isinstance(source, fx.Node)
            self.precision[node] = self.precision[source]
            return
        self.precision[node] = precision = self._choose(node)
        if precision == self.half and node.target in SUMS and is_aggregation(node):
            self._sum_shares(node)
        with self.graph_module.graph.inserting_before(node):
            node.args = fx.map_arg(node.args, lambda operand: self._cast(operand, precision))
            node.kwargs = fx.map_arg(node.kwargs, lambda operand: self._cast(operand, precision))
        node.args = fx.node.map_aggregate(node.args, lambda value: self._retarget(value, precision))
        node.kwargs = fx.node.map_aggregate(node.kwargs, lambda value: self._retarget(value, precision))

    def _choose(self, node: fx.Node) -> torch.dtype:
        """The precision that a node computes in.

        What leaves the graph or adds up to a map stays float32, before any other row is asked: a product in the
        aggregation is a term. Everything in neither list follows its operands, constants not counted, since these
        exist in both; one in float32 is enough, so that no precision is lost that was kept so far.
        """
        if node.op == "output" or (is_aggregation(node) and not self._keeps_halves(node)):
            return torch.float32
        if node.target in PRODUCTS:
            return self.half
        if getattr(node.target, "overloadpacket", None) in STEEP:
            return torch.float32
        operands = [source for source in node.all_input_nodes if source.op != "get_attr" and _is_float(source)]
        return torch.float32 if any(self.precision[source] == torch.float32 for source in operands) else self.half

    def _keeps_halves(self, node: fx.Node) -> bool:
        """Whether a node of the aggregation computes in half precision what it would in float32, of halves."""
        if node.target in SELECTING:
            return True
        if node.target not in SUMS:
            return False
        row, features = node.args
        assert isinstance(row, fx.Node)
        assert isinstance(features, fx.Node)
        return row.op == "get_attr" and self.precision[features] == self.half

    def _sum_shares(self, node: fx.Node) -> None:
        """Makes a sum over channels one of shares of the weights, behind which it is multiplied by their total."""
        row, features = node.args
        assert isinstance(row, fx.Node)
        weights = getattr(self.graph_module, str(row.target))
        total = weights.abs().sum(-1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
        node.args = (self._constant(row, "shares", weights / total, self.half), features)
        with node.graph.inserting_after(node):
            wide = node.graph.call_function(aten._to_copy.default, (node,), {"dtype": torch.float32})
        with node.graph.inserting_after(wide):
            times = (wide, self._constant(row, "total", total, torch.float32))
            result = node.graph.call_function(aten.mul.Tensor, times)
        node.replace_all_uses_with(result, lambda user: user not in (wide, result))
        for made in (wide, result):
            made.meta = {key: value for key, value in node.meta.items() if key != "val"}
            self.precision[made] = torch.float32

    def _constant(self, row: fx.Node, name: str, value: Tensor, precision: torch.dtype) -> fx.Node:
        """A constant made of another, once."""
        target = f"{row.target}_{name}"
        if target not in self.constants:
            self.graph_module.register_buffer(target, value.to(precision))
            with row.graph.inserting_after(row):
                self.constants[target] = made = row.graph.get_attr(target)
            made.meta = {key: value for key, value in row.meta.items() if key != "val"}
            self.precision[made] = precision
        return self.constants[target]

    def _cast(self, operand: fx.Node, precision: torch.dtype) -> fx.Node:
        if not _is_float(operand) or self.precision[operand] == precision:
            return operand
        if (operand, precision) not in self.casts:
            self.casts[operand, precision] = self._converted(operand, precision)
        return self.casts[operand, precision]

    def _converted(self, operand: fx.Node, precision: torch.dtype) -> fx.Node:
        """A cast behind the operand; of a constant, another constant."""
        graph = self.graph_module.graph
        with graph.inserting_after(operand):
            if operand.op == "get_attr":
                name = f"{operand.target}_half"
                value = getattr(self.graph_module, str(operand.target))
                largest = torch.finfo(precision).max / 2
                self.graph_module.register_buffer(name, value.clamp(-largest, largest).to(precision))
                converted = graph.get_attr(name)
            else:
                converted = graph.call_function(aten._to_copy.default, (operand,), {"dtype": precision})
        converted.meta = {key: value for key, value in operand.meta.items() if key != "val"}
        self.precision[converted] = precision
        return converted

    def _retarget(self, value: Any, precision: torch.dtype) -> Any:
        """Of arguments that are no nodes: dtypes of floats follow, and numbers stay in range."""
        if isinstance(value, torch.dtype) and value.is_floating_point:
            return precision
        if isinstance(value, float) and precision == self.half:
            largest = torch.finfo(precision).max / 2
            return min(max(value, -largest), largest)
        return value


def _is_float(node: fx.Node) -> bool:
    value = node.meta.get("val")
    return isinstance(value, Tensor) and value.is_floating_point()
