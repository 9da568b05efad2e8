"""A function's forward, and the linear map whose transpose its backward is, as one graph of operators.

    (a, a) ↦ g(a), J̃ a   where the backward is   δ ↦ J̃ᵀ δ,   J̃ a = ∂/∂u <J̃ᵀ u, a>

The backward alone is traced first. It is linear, so that its derivative in ``u`` does not depend on ``u``
(``linearity``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from fgcompile.compiler.capture.functions.call import FunctionCall, Run
from fgcompile.compiler.capture.functions.linearity import leave_out_cotangents, require_linear
from fgcompile.compiler.ir.torch_internals import (
    FakeTensor,
    FakeTensorMode,
    enable_python_dispatcher,
    make_fx,
    without_mutations,
)
from fgcompile.errors import FgcompileError

aten = torch.ops.aten

ALIASES = (aten.detach.default, aten.alias.default, aten.lift_fresh_copy.default)
"""What a backward, traced where nothing is differentiated, calls for nothing."""


@dataclass(frozen=True)
class TracedCall:
    """The graph of ``(constants, sizes, cotangents, tangents) ↦ (outputs, linear)``.

    Attributes:
        graph_module: The graph; the cotangents are read by nothing.
        tangents: Which operands are the tangents.
        differentiable: The positions among the tensor outputs of those that have a linear value, in order.
        counts: How many constants, sizes, cotangents and tangents there are, and how many tensor outputs.
    """

    graph_module: fx.GraphModule
    tangents: tuple[int, ...]
    differentiable: tuple[int, ...]
    counts: tuple[int, int, int, int, int]


def trace_call(
    call: FunctionCall, operands: Sequence[Tensor], sizes: Sequence[Any], active: Collection[int], mode: FakeTensorMode
) -> TracedCall:
    """Traces a call.

    Args:
        call: The call.
        operands: Its tensors, fake.
        sizes: Its sizes.
        active: Which of the operands a gradient is wanted for.
        mode: Where the fake tensors live.

    Raises:
        CaptureError: Its forward or backward cannot be traced, or the backward is not linear.
    """
    tracing = _Tracing(call, len(operands), active)
    with mode, enable_python_dispatcher():
        zeros = _zeros(call, operands, sizes)
        try:
            both = _flattened(tracing.both, [*operands, *sizes, *zeros])
        except FgcompileError:
            raise
        except Exception as error:  # the user's own code may raise anything
            raise call.untraceable("backward", error) from error
        _require_own_tensors(call, both)
        tangents = [operands[index] for index in tracing.reached]
        try:
            graph_module = make_fx(tracing.linear(both, len(sizes)), {})(*operands, *sizes, *zeros, *tangents)
        except Exception as error:  # an operator of it has no derivative
            raise call.untraceable("backward", error) from error
    graph_module.graph.eliminate_dead_code()
    start = len(operands) + len(sizes)
    require_linear(call, graph_module, start, start + len(zeros))
    leave_out_cotangents(call, graph_module, start, tracing.differentiable)
    counts = (len(operands), len(sizes), len(zeros), len(tangents), tracing.count)
    return TracedCall(graph_module, tuple(tracing.reached), tuple(tracing.differentiable), counts)


class _Tracing:
    """The two functions that are traced, and what the first found out."""

    def __init__(self, call: FunctionCall, operands: int, active: Collection[int]) -> None:
        self.call = call
        self.operands = operands
        self.active = active
        self.count = 0
        self.differentiable: list[int] = []
        self.reached: list[int] = []

    def both(self, *values: Any) -> tuple[Tensor, ...]:
        """``(a, sizes, u) ↦ (outputs, J̃ᵀ u)``: a gradient for each operand that has one."""
        operands, rest = values[: self.operands], values[self.operands :]
        size_count = len(rest) - self._cotangents(rest)
        run = self.call.forward(operands, rest[:size_count])
        gradients = self.call.backward(run, rest[size_count:])
        tensors = [position for position, value in enumerate(run.outputs) if isinstance(value, Tensor)]
        self.count = len(tensors)
        self.differentiable = [tensors.index(position) for position in run.differentiable]
        found: dict[int, Tensor] = {}
        for position, index in self.call.differentiable_arguments(operands).items():
            gradient = gradients[position]
            if gradient is None or index not in self.active:
                continue
            gradient = gradient.to(operands[index].dtype)
            if gradient.shape != operands[index].shape:  # of an operand that the function broadcasts
                gradient = gradient.sum_to_size(operands[index].shape)
            found[index] = found[index] + gradient if index in found else gradient
        self.reached = list(found)
        return (*(run.outputs[position] for position in tensors), *found.values())

    @staticmethod
    def _cotangents(rest: Sequence[Any]) -> int:
        return sum(isinstance(value, Tensor) for value in rest)

    def linear(self, both: fx.GraphModule, size_count: int) -> Any:
        """``(a, sizes, u, a) ↦ (outputs, J̃ a)``."""
        start = self.operands + size_count

        def function(*values: Any) -> tuple[Tensor, ...]:
            stop = len(values) - len(self.reached)
            constants = [value.detach() if isinstance(value, Tensor) else value for value in values[:start]]
            cotangents = [value.detach().requires_grad_() for value in values[start:stop]]
            with torch.enable_grad():
                results = both(*constants, *(value.clone() for value in cotangents))
                pairs = [
                    pair for pair in zip(results[self.count :], values[stop:], strict=True) if pair[0].requires_grad
                ]
                gradients, tangents = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
                found: Any = [None] * len(cotangents)
                if pairs:
                    found = torch.autograd.grad(gradients, cotangents, tangents, allow_unused=True)
            linear = [
                torch.zeros_like(cotangent) if value is None else value
                for cotangent, value in zip(cotangents, found, strict=True)
            ]
            return (*(value.detach() for value in results[: self.count]), *linear)

        return function


def _zeros(call: FunctionCall, operands: Sequence[Tensor], sizes: Sequence[Any]) -> list[Tensor]:
    run: Run = call.forward(operands, sizes)
    return [torch.zeros_like(run.outputs[position]) for position in run.differentiable]


def _flattened(function: Any, values: Sequence[Any]) -> fx.GraphModule:
    """The function's operators, no write in place among them, nor what only stops a gradient."""
    raw = make_fx(function, {})(*values)
    graph_module = make_fx(without_mutations(raw), {})(*values)
    for node in list(graph_module.graph.nodes):
        if node.target in ALIASES and isinstance(node.args[0], fx.Node) and node.args[0].op != "get_attr":
            node.replace_all_uses_with(node.args[0])
            graph_module.graph.erase_node(node)
    graph_module.graph.eliminate_dead_code()
    graph_module.recompile()
    return graph_module


def _require_own_tensors(call: FunctionCall, graph_module: fx.GraphModule) -> None:
    for node in graph_module.graph.find_nodes(op="get_attr"):
        if isinstance(getattr(graph_module, str(node.target)), FakeTensor):
            raise call.refused(
                "reads a value of the model that is none of its arguments", "pass it to apply as an argument"
            )
