"""Recorded calls of functions with a backward of their own become operators.

    function_call([a], …)  →  own_backward(g(detach(a)), J̃ a)

What the forward computes is a constant for the gradient; ``J̃`` is traced from the backward.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn
from torch.export import ExportedProgram

from fgcompile.compiler.capture.blocks import inline_blocks
from fgcompile.compiler.capture.constants import Constants
from fgcompile.compiler.capture.functions.call import FunctionCall
from fgcompile.compiler.capture.functions.record import FUNCTION_CALL, Recording
from fgcompile.compiler.capture.functions.trace import TracedCall, trace_call
from fgcompile.compiler.ir.annotations import mark_linear
from fgcompile.compiler.ir.graphs import fake_mode
from fgcompile.compiler.ir.nodes import is_differentiable
from fgcompile.compiler.ir.own_backward import OWN_BACKWARD

aten = torch.ops.aten


def expand(exported: ExportedProgram, recording: Recording) -> ExportedProgram:
    """The program with every recorded call written out; it is rewritten in place where there are none.

    Raises:
        CaptureError: A function's forward or backward cannot be traced, or its backward is not linear.
    """
    if any(_holds_calls(part) for path, part in exported.graph_module.named_modules() if path):
        inline_blocks(exported.graph_module, exported)
    graph = exported.graph
    calls = [node for node in graph.nodes if node.target is FUNCTION_CALL]
    if not calls:
        return exported
    expansion = _Expansion(exported)
    for node in calls:
        expansion.replace(node, recording.calls[node.args[2]])
    return expansion.constants.program(exported.graph_module)


def _holds_calls(block: nn.Module) -> bool:
    """Whether a block calls such a function, so that it has to be put in line before the call is written out."""
    return isinstance(block, fx.GraphModule) and any(node.target is FUNCTION_CALL for node in block.graph.nodes)


class _Expansion:
    """The state of one rewrite: the graph, and the constants that functions brought."""

    def __init__(self, exported: ExportedProgram) -> None:
        self.exported = exported
        self.graph = exported.graph
        self.mode = fake_mode(self.graph)
        self.constants = Constants(exported, exported.graph)
        self.active = _dependent(exported)

    def replace(self, node: fx.Node, call: FunctionCall) -> None:
        """Writes a call out."""
        operands, sizes = [*node.args[0]], [*node.args[1]]  # type: ignore[misc]  # lists of nodes
        symbols = [size for size in sizes if isinstance(size, fx.Node)]
        values = [operand.meta["val"] for operand in operands]
        active = [index for index, operand in enumerate(operands) if operand in self.active]
        given = [size.meta["val"] if isinstance(size, fx.Node) else size for size in sizes]
        assert len(symbols) == len(sizes), "a size that is a number is no size of a call's"
        traced = trace_call(call, values, given, active, self.mode)
        write = self._writer(node, call)
        results = self._written(node, traced, write, [*operands, *sizes])
        for picked in list(node.users):
            assert picked.target is operator.getitem
            result = results[picked.args[1]]  # type: ignore[index]
            picked.replace_all_uses_with(result)
            if picked in self.active:  # another function may take it as it is
                self.active.add(result)
            self.graph.erase_node(picked)
            if is_differentiable(result.meta["val"]):
                result.name = picked.name  # the signature goes by names
        self.graph.erase_node(node)

    def _writer(self, node: fx.Node, call: FunctionCall) -> Callable[..., fx.Node]:
        stack = dict(node.meta.get("nn_module_stack") or {})
        path = list(stack.values())[-1][0] if stack else ""
        kind = f"{call.function.__module__}.{call.function.__qualname__}"
        stack[kind] = (f"{path}.{call.name}" if path else call.name, kind)

        def write(target: Any, value: Any, *args: Any, **kwargs: Any) -> fx.Node:
            with self.graph.inserting_before(node):
                written: fx.Node = self.graph.call_function(target, args, kwargs)
            written.meta = {**node.meta, "nn_module_stack": stack, "val": value}
            return written

        return write

    def _written(
        self, node: fx.Node, traced: TracedCall, write: Callable[..., fx.Node], given: list[fx.Node]
    ) -> list[fx.Node]:
        """The call's tensor outputs."""
        operand_count, _, cotangent_count, _, count = traced.counts
        detached = [
            write(aten.detach.default, source.meta["val"], source) if is_differentiable(source.meta["val"]) else source
            for source in given[:operand_count]
        ]
        tangents = [given[index] for index in traced.tangents]
        sources = [*detached, *given[operand_count:], *[None] * cotangent_count, *tangents]
        steps: dict[fx.Node, Any] = {}
        placeholders = iter(sources)
        for step in traced.graph_module.graph.nodes:
            if step.op == "placeholder":
                steps[step] = next(placeholders)
            elif step.op == "get_attr":
                steps[step] = self.constants.add(
                    "function_constant", getattr(traced.graph_module, str(step.target)).detach()
                )
            elif step.op == "call_function":
                args, kwargs = fx.map_arg((step.args, step.kwargs), steps.__getitem__)
                steps[step] = write(step.target, step.meta["val"], *args, **kwargs)
                mark_linear(steps[step])  # in the tangents, which alone carry a gradient
        results: Any = fx.map_arg(traced.graph_module.graph.output_node().args[0], steps.__getitem__)
        outputs, linear = list(results[:count]), results[count:]
        if traced.tangents:
            for position, value in zip(traced.differentiable, linear, strict=True):
                source = outputs[position]
                outputs[position] = write(OWN_BACKWARD, source.meta["val"], source, value)
        return outputs


def _dependent(exported: ExportedProgram) -> set[fx.Node]:
    """The nodes that depend on an input, of any dtype: more than what carries a gradient, and never less."""
    own = set(exported.graph_signature.user_inputs)
    found: set[fx.Node] = set()
    for node in exported.graph.nodes:
        if node.name in own or found.intersection(node.all_input_nodes):
            found.add(node)
    return found
