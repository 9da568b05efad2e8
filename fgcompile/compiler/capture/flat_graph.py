"""An exported program becomes one flat graph whose parameters are attributes."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import fx, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind

from fgcompile.compiler.capture.attention import LOWEST
from fgcompile.compiler.capture.scored import unwrapped, unwrapped_name
from fgcompile.compiler.ir.graphs import VIEWS
from fgcompile.compiler.ir.nodes import free_name
from fgcompile.compiler.ir.programs import CapturedProgram
from fgcompile.errors import CaptureError

aten = torch.ops.aten


ASSERTIONS = (
    aten._assert_async.msg,
    aten._assert_scalar.default,
    aten._assert_tensor_metadata.default,  # of a dtype that another precision changes
)
"""Operators that return nothing, which the graph does without."""


def unlift(exported: ExportedProgram, name: str, input_names: Sequence[str] | None) -> CapturedProgram:
    """Turns the lifted parameters, buffers and constants back into attributes, and drops all but the user's outputs."""
    signature = exported.graph_signature
    root = nn.Module()
    graph = fx.Graph()
    values: dict[fx.Node, fx.Node] = {}
    inputs: list[str] = []
    constants: dict[int, Any] = {}
    specs = {spec.arg.name: spec for spec in signature.input_specs}
    for node in exported.graph.nodes:
        if node.op == "placeholder":
            # Three kinds: the user's own stay inputs, under the names of the score's signature if there is one; a token
            # orders side effects, which a graph of values has no place for; all else is a tensor of the model's.
            spec = specs[node.name]
            if spec.kind == InputKind.USER_INPUT:
                inputs.append(node.name if input_names is None else input_names[len(inputs)])
                values[node] = graph.placeholder(inputs[-1])
            elif spec.kind == InputKind.TOKEN:
                effect = next(iter(node.users)).args[1]
                raise CaptureError(f"{name} calls '{effect}', which acts by side effects: replace what calls it")
            else:
                values[node] = _attribute(exported, spec.target, root, graph)
            values[node].meta["val"] = node.meta.get("val")
        elif node.op == "output":
            # Buffers that the model writes are results too, in front of the user's: an artifact keeps no state.
            kinds = (spec.kind for spec in signature.output_specs)
            own = [value for value, kind in zip(node.args[0], kinds, strict=True) if kind == OutputKind.USER_OUTPUT]
            constants = {index: _constant(value) for index, value in enumerate(own) if not _is_tensor(value)}
            graph.output(tuple(values[value] for value in own if _is_tensor(value)))
        elif node.op == "get_attr":  # a graph that a call runs: ``require_explainable`` refuses the call by name
            root.add_module(node.target, exported.graph_module.get_submodule(node.target))
            values[node] = graph.get_attr(node.target)
        elif node.target not in ASSERTIONS:
            values[node] = graph.node_copy(node, lambda n: values[n])
            # A view counts on strides, which rules and exposed biases change; its result is the same, reshaped.
            if node.target in VIEWS:
                values[node].target = aten.reshape.default
            elif node.target is aten._neg_view.default:  # of the imaginary part of a conjugate
                values[node].target = aten.neg.default
            values[node].meta["nn_module_stack"] = unwrapped(node.meta.get("nn_module_stack"))
    _bound_infinities(graph, root)
    graph.eliminate_dead_code()
    graph_module = fx.GraphModule(root, graph, class_name="CapturedProgram")
    return CapturedProgram(graph_module, tuple(inputs), exported.call_spec.out_spec, name, output_constants=constants)


def constant_name(target: str) -> str:
    """What the graph calls a parameter or buffer of the model, by its path: it becomes an argument's name."""
    return re.sub(r"\W", "_", f"constant_{unwrapped_name(target)}")


def _is_tensor(result: Any) -> bool:
    return isinstance(result, fx.Node) and isinstance(result.meta["val"], torch.Tensor)


def _constant(result: Any) -> Any:
    """What an output is that is no tensor; a size is none that could be explained."""
    return None if isinstance(result, fx.Node) else result


def _bound_infinities(graph: fx.Graph, root: nn.Module) -> None:
    """Masks of −∞ become the lowest number: what is masked has a gradient of zero, and 0 · ∞ would be NaN."""
    for node in graph.nodes:
        if node.target is aten.linalg_vector_norm.default:
            continue  # whose order may be ∞
        node.args = fx.node.map_aggregate(node.args, _bounded)
        node.kwargs = fx.node.map_aggregate(node.kwargs, _bounded)
    for name, buffer in list(root.named_buffers()):
        if buffer.is_floating_point() and buffer.isinf().any():
            setattr(root, name, buffer.clamp(LOWEST, -LOWEST))


def _bounded(value: Any) -> Any:
    infinite = isinstance(value, float) and math.isinf(value)
    return math.copysign(LOWEST, value) if infinite else value


def _attribute(exported: ExportedProgram, target: str, root: nn.Module, graph: fx.Graph) -> fx.Node:
    tensor: Any = exported.state_dict[target] if target in exported.state_dict else exported.constants[target]
    if not isinstance(tensor, torch.Tensor):
        raise CaptureError(
            f"the model computes with a {type(tensor).__name__}, which is no tensor, so no graph has it: make "
            "buffers with it when the model is built"
        )
    attribute = free_name(constant_name(target), dict(root.named_buffers()))
    root.register_buffer(attribute, tensor.detach())
    return graph.get_attr(attribute)
