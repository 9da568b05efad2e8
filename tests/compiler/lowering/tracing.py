"""Traces the backward of an operator case with the lowerings, as ``differentiate`` does, and checks the graph."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.experimental.symbolic_shapes import DimDynamic, ShapeEnv, StatelessSymbolicContext

from fgcompile.compiler.capture.capture import capture
from fgcompile.compiler.lowering import decomposition_table
from fgcompile.compiler.tracing.preservation import preserve_interpolation
from tests.support.networks import CaseModule
from tests.support.operator_cases import OperatorCase

aten = torch.ops.aten

FORBIDDEN = (
    "_backward",
    "scatter",
    "index_put",
    "index_add",
    "index_copy",
    "masked_scatter",
    "as_strided",
    "unpool",
    "col2im",
    "sign.",
    "sgn.",
    "one_hot",
    "topk",
    "sort",
    "zeros",
    "ones",
    "full",
    "empty",
)
"""Parts of names of operators that a lowered graph must not hold where they depend on an input."""


@dataclass(frozen=True)
class TracedBackward:
    """The graph of ``(*inputs, *constants, cotangent) → gradients``, and whether its batch stayed symbolic."""

    graph_module: fx.GraphModule
    operators: frozenset[torch._ops.OpOverload]
    lowered: frozenset[torch._ops.OpOverload]
    specialised: bool


def make_backward(case: OperatorCase) -> Callable[..., tuple[Tensor, ...]]:
    """The gradient of ``<f(inputs), cotangent>`` with respect to every input; all are floats."""
    count = len(case.inputs)

    def backward(*arguments: Tensor) -> tuple[Tensor, ...]:
        inputs = [value.detach().requires_grad_() for value in arguments[:count]]
        output = case.function(*inputs, *arguments[count:-1])
        return torch.autograd.grad(output, inputs, arguments[-1])

    return backward


def make_cotangent(case: OperatorCase, inputs: tuple[Tensor, ...]) -> Tensor:
    """A random cotangent of the case's output."""
    output = case.function(*inputs, *case.make_constants(inputs[0].dtype))
    return torch.randn(output.shape, generator=torch.Generator().manual_seed(1000), dtype=torch.float64).to(
        output.dtype
    )


@functools.cache
def captured_graph(case: OperatorCase, dtype: torch.dtype) -> fx.GraphModule:
    """The case as ``capture`` leaves it, captured once a session."""
    return capture(CaseModule(case).to(dtype).eval(), case.make_inputs(3, dtype)).graph_module


@functools.cache
def trace_backward(case: OperatorCase) -> TracedBackward:
    """The case's lowered backward in float64, traced once a session."""
    return trace(case, torch.float64)


def trace(case: OperatorCase, dtype: torch.dtype, batch: int = 3) -> TracedBackward:
    """Captures the case, traces its backward with a symbolic batch and the lowerings, and removes dead code."""
    lowered: set[torch._ops.OpOverload] = set()

    def record(operator: torch._ops.OpOverload, lowering: Callable[..., Any]) -> Callable[..., Any]:
        def recorded(*arguments: Any, **keywords: Any) -> Any:
            lowered.add(operator)
            return lowering(*arguments, **keywords)

        return recorded

    table = {key: record(key, value) for key, value in decomposition_table().items()}
    environment = ShapeEnv()
    mode = FakeTensorMode(shape_env=environment, allow_non_fake_inputs=True)
    inputs, constants = case.make_inputs(batch, dtype), case.make_constants(dtype)

    def fake(value: Tensor, dynamic: bool) -> Tensor:
        sizes = [DimDynamic.DYNAMIC if dynamic and axis == 0 else DimDynamic.STATIC for axis in range(value.dim())]
        return mode.from_tensor(value, symbolic_context=StatelessSymbolicContext(dynamic_sizes=sizes))

    arguments = [fake(value, True) for value in inputs] + [fake(value, False) for value in constants]
    arguments.append(fake(make_cotangent(case, inputs), True))
    for value in [*arguments[1 : len(inputs)], arguments[-1]]:
        torch._check(value.shape[0] == arguments[0].shape[0])
    captured = captured_graph(case, dtype)
    backward = make_backward(dataclasses.replace(case, function=lambda *values: captured(*values[: len(inputs)])[0]))
    with preserve_interpolation():
        graph_module = make_fx(backward, decomposition_table=table, tracing_mode="symbolic")(*arguments)
    graph_module.graph.eliminate_dead_code()
    graph_module.recompile()
    symbol = arguments[0].shape[0].node.expr
    specialised = not environment.replace(symbol).free_symbols
    dependent = _dependent_calls(graph_module)
    return TracedBackward(graph_module, frozenset(dependent), frozenset(lowered), specialised)


def _dependent_calls(graph_module: fx.GraphModule) -> Iterator[torch._ops.OpOverload]:
    """The operators that depend on a graph input: all others are folded when compiling."""
    dependent: set[fx.Node] = set()
    for node in graph_module.graph.nodes:
        if node.op == "placeholder" or any(argument in dependent for argument in node.all_input_nodes):
            dependent.add(node)
            if node.op == "call_function" and isinstance(node.target, torch._ops.OpOverload):
                yield node.target


def list_forbidden(case: OperatorCase) -> list[str]:
    """Names of the operators in the lowered backward that some runtime lacks, less those that the case itself calls."""
    captured = captured_graph(case, torch.float64)
    with torch.no_grad():
        forward = make_fx(captured, decomposition_table=decomposition_table())(*case.make_inputs(2, torch.float64))
    own = {node.target for node in forward.graph.nodes if node.op == "call_function"}
    names = [str(operator) for operator in trace_backward(case).operators if operator not in own]
    return [name for name in names if any(part in name.split(".", 1)[1] + "." for part in FORBIDDEN)]


def relative_error(actual: Tensor, expected: Tensor) -> float:
    """``max |actual − expected| / max |expected|``."""
    assert actual.shape == expected.shape
    return float((actual - expected).abs().max() / expected.abs().max().clamp(min=1e-30))


def assert_backward_matches(case: OperatorCase, inputs: tuple[Tensor, ...], tolerance: float = 1e-12) -> None:
    """The traced, lowered backward equals autograd's at these inputs."""
    arguments = (*inputs, *case.make_constants(inputs[0].dtype), make_cotangent(case, inputs))
    expected = make_backward(case)(*arguments)
    traced = trace_backward(case)
    with torch.no_grad():
        actual = traced.graph_module(*arguments)
    for gradient, reference in zip(actual, expected, strict=True):
        error = relative_error(gradient, reference)
        assert error <= tolerance, f"{case.name}: the lowered gradient is off by {error:.1e}"


def assert_lowered(case: OperatorCase) -> None:
    """No operator is left that a runtime lacks, the batch is symbolic, and batches 1, 2 and 5 agree with autograd."""
    traced = trace_backward(case)
    assert list_forbidden(case) == []
    assert not traced.specialised, f"{case.name}: the batch became a number"
    for batch in (1, 2, 5):
        assert_backward_matches(case, case.make_inputs(batch, seed=batch))
