"""Traces model, score, gradients and aggregation into one flat graph without autograd: the fused program.

``make_fx`` runs the eager code of ``differentiate`` and ``saliency`` over fake tensors with a symbolic batch.
Constants are lifted to inputs while tracing and put back as attributes afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, fx
from torch._ops import OpOverload
from torch.fx.experimental.proxy_tensor import make_fx

from fgcompile.differentiate import differentiate, index_orders
from fgcompile.errors import CaptureError
from fgcompile.layers import free_name
from fgcompile.outputs import explanation_outputs
from fgcompile.preprocessing import apply_preprocess, preprocess_constants, require_image_model
from fgcompile.program import BiasedProgram, FusedProgram, Preprocess, Request, Site, ValueSpec
from fgcompile.score import score_function
from fgcompile.shapes import describe, fake, fake_mode


def trace(
    program: BiasedProgram, request: Request, decompositions: Mapping[OpOverload, Callable[..., Any]]
) -> FusedProgram:
    """Traces the fused program.

    Args:
        program: The exposed program, in the dtype to compute in.
        request: What to compute.
        decompositions: Lowerings of operators, applied while tracing.

    Raises:
        CaptureError: An operator fixed the batch size.
        ScoreError: The score is not one scalar per sample that depends on the input.
    """
    tracer = _Tracer(program, request)
    with fake_mode(program.graph_module):
        graph_module = make_fx(
            tracer.run, decomposition_table=dict(decompositions), tracing_mode="symbolic", _allow_non_fake_inputs=True
        )(*tracer.arguments())
    _put_constants_back(graph_module, tracer)
    return FusedProgram(
        graph_module=graph_module,
        inputs=tuple(_specify(node.name, node.meta["val"], tracer.dimensions) for node in _inputs(graph_module)),
        outputs=tuple(
            _specify(name, node.meta["val"], tracer.dimensions)
            for name, node in zip(tracer.output_names, _results(graph_module), strict=True)
        ),
        sites=tuple(tracer.sites),
        dtype=tracer.dtype,
    )


class _Tracer:
    """The function that is traced, its arguments, and what it found out on the way."""

    def __init__(self, program: BiasedProgram, request: Request) -> None:
        self.program = program
        self.request = request
        placeholders = program.graph_module.graph.find_nodes(op="placeholder")
        self.model_inputs: list[Tensor] = [node.meta["val"] for node in placeholders[: len(program.inputs)]]
        self.mode = fake_mode(program.graph_module)
        self.dimensions = {str(self.model_inputs[0].shape[0]): "batch"}
        self.input_names = ["x"] if len(program.inputs) == 1 else list(program.inputs)
        self.has_target = request.target is None
        self.dtype = floating_dtype([*self.model_inputs, *program.biases.values()])
        if request.preprocess is not None:
            require_image_model(request.preprocess, self.model_inputs)
        self.constants, self.bias_keys = _constants(program, request.preprocess, self.dtype)
        self.order_keys = {order: f"order_{index}" for index, order in enumerate(index_orders(program))}
        self.constants |= {self.order_keys[order]: index for order, index in index_orders(program).items()}
        self.output_names: list[str] = []
        self.sites: list[Site] = []

    def arguments(self) -> list[Tensor]:
        """The fake arguments: the model's inputs, the target if it is an input, then every constant."""
        inputs = list(self.model_inputs)
        if self.request.preprocess is not None:
            batch, channels, height, width = inputs[0].shape
            inputs = [torch.empty((batch, height, width, channels), dtype=torch.uint8)]
        if self.has_target:
            inputs.append(torch.empty((self.model_inputs[0].shape[0],), dtype=torch.int64))
        return inputs + [fake(value, self.mode) for value in self.constants.values()]

    def run(self, *arguments: Tensor) -> tuple[Tensor, ...]:
        count = len(self.input_names)
        inputs, rest = list(arguments[:count]), list(arguments[count:])
        chosen = rest.pop(0) if self.has_target else None
        constants = dict(zip(self.constants, rest, strict=True))
        if self.request.preprocess is not None:
            inputs = [apply_preprocess(inputs[0], constants["preprocess_scale"], constants["preprocess_shift"])]
        result = differentiate(
            self.program,
            inputs,
            score_function(self.request.target, chosen),
            biases={name: constants[key] for name, key in self.bias_keys.items()},
            constants=constants,
            orders={order: constants[key] for order, key in self.order_keys.items()},
        )
        self.sites = [value.site for value in result.sites]
        outputs = explanation_outputs(result, self.request)
        self.output_names = list(outputs)
        return tuple(outputs.values())


def floating_dtype(values: Iterable[Tensor]) -> torch.dtype:
    """The dtype of the first floating-point tensor."""
    return next(value.dtype for value in values if value.is_floating_point())


def _constants(
    program: BiasedProgram, preprocess: Preprocess | None, dtype: torch.dtype
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Every constant by the name of its attribute, and for each bias input that name."""
    constants = {name: value.detach() for name, value in program.graph_module.named_buffers()}
    keys = {}
    for name, value in program.biases.items():
        keys[name] = free_name("bias_" + re.sub(r"\W", "_", name), constants)
        constants[keys[name]] = value
    if preprocess is not None:
        constants |= preprocess_constants(preprocess, dtype)
    return constants, keys


def _inputs(graph_module: fx.GraphModule) -> list[fx.Node]:
    return list(graph_module.graph.find_nodes(op="placeholder"))


def _results(graph_module: fx.GraphModule) -> list[fx.Node]:
    (results,) = graph_module.graph.output_node().args
    assert isinstance(results, tuple | list)
    return [node for node in results if isinstance(node, fx.Node)]


def _specify(name: str, value: Tensor, dimensions: dict[str, str]) -> ValueSpec:
    shape = describe(value, dimensions)
    if shape and isinstance(value.shape[0], int):
        raise CaptureError(f"'{name}' has the fixed shape {shape}: an operator of the model fixes the batch size")
    return ValueSpec(name, str(value.dtype).removeprefix("torch."), shape)


def _put_constants_back(graph_module: fx.GraphModule, tracer: _Tracer) -> None:
    """Names the inputs, and turns the lifted constants from placeholders into attributes."""
    graph = graph_module.graph
    names = tracer.input_names + (["target"] if tracer.has_target else [])
    placeholders = _inputs(graph_module)
    for node, name in zip(placeholders, names, strict=False):
        with graph.inserting_before(node):
            renamed = graph.placeholder(name)
        renamed.meta = node.meta
        node.replace_all_uses_with(renamed)
        graph.erase_node(node)
    for node, (name, value) in zip(placeholders[len(names) :], tracer.constants.items(), strict=True):
        if node.users:
            graph_module.register_buffer(name, value)
            with graph.inserting_before(node):
                attribute = graph.get_attr(name)
            attribute.meta = node.meta
            node.replace_all_uses_with(attribute)
        graph.erase_node(node)
    graph.lint()
    graph_module.recompile()
