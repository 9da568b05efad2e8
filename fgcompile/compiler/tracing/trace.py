"""Traces model, score, gradients and aggregation into one flat graph without autograd: the fused program.

``make_fx`` runs the eager code of ``differentiate`` and ``saliency`` over fake tensors with a symbolic batch, and
symbolic sizes if wanted. Constants are lifted to inputs while tracing and put back as attributes afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import Tensor, fx
from torch.fx.traceback import preserve_node_meta

from fgcompile.artifact.names import EXPLAIN
from fgcompile.compiler.fullgrad.arrangement import index_orders
from fgcompile.compiler.fullgrad.methods import decompose, noise_constants
from fgcompile.compiler.fullgrad.outputs import explanation_outputs
from fgcompile.compiler.fullgrad.preprocessing import apply_preprocess, preprocess_constants, require_image_model
from fgcompile.compiler.fullgrad.terms import StandIns
from fgcompile.compiler.ir.annotations import aggregation
from fgcompile.compiler.ir.graphs import fake, fake_mode
from fgcompile.compiler.ir.nodes import free_name
from fgcompile.compiler.ir.programs import BiasedProgram, FusedProgram, Site, ValueSpec
from fgcompile.compiler.ir.sizes import describe, dimension_names, hint, is_fixed
from fgcompile.compiler.ir.torch_internals import OpOverload, make_fx
from fgcompile.compiler.request import Request
from fgcompile.errors import CaptureError, InputError, ScoreError


def trace(
    program: BiasedProgram, request: Request, decompositions: Mapping[OpOverload, Callable[..., Any]]
) -> FusedProgram:
    """Traces the fused program.

    Args:
        program: The exposed program, in the dtype to compute in.
        request: What to compute.
        decompositions: Lowerings of operators, applied while tracing.

    Raises:
        CaptureError: An operator fixed the batch size, or a size of space that is dynamic.
        ScoreError: The score is not one scalar per sample that depends on the input.
    """
    tracer = _Tracer(program, request)
    with fake_mode(program.graph_module.graph), preserve_node_meta():
        graph_module = make_fx(tracer.run, decompositions)(*tracer.arguments())
    _put_constants_back(graph_module, tracer)
    return FusedProgram(
        graph_module=graph_module,
        inputs=tuple(tracer.specify_input(node) for node in _inputs(graph_module)),
        outputs=tuple(
            tracer.specify(name, node.meta["val"])
            for name, node in zip(tracer.output_names, _results(graph_module), strict=True)
        ),
        sites=tuple(tracer.sites),
        dtype=tracer.dtype,
        on_demand=request.on_demand,
    )


class _Tracer:
    """The function that is traced, its arguments, and what it found out on the way.

    The arguments are the model's inputs, the score's own, the class if the artifact takes it, bias parameters if it
    takes those, and then every constant, which is put back as an attribute.
    """

    def __init__(self, program: BiasedProgram, request: Request) -> None:
        self.program = program
        self.request = request
        given = (*program.inputs, *program.score_inputs)
        placeholders = program.graph_module.graph.find_nodes(op="placeholder")[: len(given)]
        self.model_inputs: list[Tensor] = [node.meta["val"] for node in placeholders]
        self.mode = fake_mode(program.graph_module.graph)
        self.dimensions = dimension_names(self.model_inputs)
        self.dtype = floating_dtype([*self.model_inputs, *program.biases.values()])
        if request.preprocess is not None:
            require_image_model(request.preprocess, self.model_inputs[: len(program.inputs)])
        self.constants, self.bias_keys = _constants(program)
        self.order_keys = _added(self.constants, "order", index_orders(program))
        if request.preprocess is not None:
            self.constants |= preprocess_constants(request.preprocess, self.dtype)
        noisy = request.method == "smooth_fullgrad"
        noise = noise_constants(program, self.model_inputs, request.noise) if noisy else {}
        self.noise_keys = _added(self.constants, "noise", noise)
        self.input_names = ["x" if len(program.inputs) == 1 else program.inputs[0], *given[1:]]
        own = ["target"] * (request.target is None) + [EXPLAIN] * request.on_demand
        if taken := [name for name in own if name in self.input_names]:
            raise InputError(f"the artifact has an input '{taken[0]}', and so has the model: rename the model's")
        if request.target is None:
            self.input_names.append("target")
        self.defaults = self._take_biases() if request.biases == "inputs" else {}
        self.output_names: list[str] = []
        self.sites: list[Site] = []

    def _take_biases(self) -> dict[str, Tensor]:
        """Moves the bias parameters from the constants to the inputs."""
        parameters = [term.input for site in self.program.sites for term in site.terms if term.input is not None]
        return {self.bias_keys[name]: self.constants.pop(self.bias_keys[name]) for name in parameters}

    def fixed_dimensions(self) -> list[str]:
        """The names of the inputs' sizes that turned out to be numbers or one another."""
        found = dimension_names(self.model_inputs)
        return [name for symbol, name in self.dimensions.items() if symbol not in found]

    def arguments(self) -> list[Tensor]:
        """The fake arguments."""
        inputs = list(self.model_inputs)
        if self.request.preprocess is not None:
            batch, channels, height, width = inputs[0].shape
            inputs[0] = torch.empty((batch, height, width, channels), dtype=torch.uint8)
        if self.request.target is None:
            inputs.append(torch.empty((self.model_inputs[0].shape[0],), dtype=torch.int64))
        constants = (*self.defaults.values(), *self.constants.values())
        return inputs + [fake(value, self.mode) for value in constants]

    def run(self, *arguments: Tensor) -> tuple[Tensor, ...]:
        count = len(self.model_inputs)
        inputs, rest = list(arguments[:count]), list(arguments[count:])
        chosen = rest.pop(0) if self.request.target is None else None
        constants = dict(zip((*self.defaults, *self.constants), rest, strict=True))
        if self.request.preprocess is not None:
            scale, shift = constants["preprocess_scale"], constants["preprocess_shift"]
            inputs[0] = apply_preprocess(inputs[0], scale, shift)
        stand_ins = StandIns(
            biases={name: constants[key] for name, key in self.bias_keys.items()},
            attributes=constants,
            orders={order: constants[key] for order, key in self.order_keys.items()},
            noise={name: constants[key] for name, key in self.noise_keys.items()},
        )
        result = decompose(self.program, self.request, inputs, chosen, stand_ins)
        self.sites = [value.site for value in result.sites]
        with aggregation():
            outputs = explanation_outputs(result, self.request)
        self.output_names = list(outputs)
        return tuple(outputs.values())

    def specify_input(self, node: fx.Node) -> ValueSpec:
        name = str(node.target)
        if name in self.defaults:
            value = self.defaults[name]
            return ValueSpec(name, _dtype_name(value), tuple(value.shape), value)
        value = node.meta["val"]
        spec = self.specify(name, value)
        if sum(isinstance(size, str) for size in spec.shape) < 2:
            return spec
        return replace(spec, example=(1, *map(hint, value.shape[1:])))

    def specify(self, name: str, value: Tensor) -> ValueSpec:
        """Name, dtype and shape of an input or output.

        Raises:
            CaptureError: Its batch is fixed, or a size of space that is to be dynamic.
        """
        shape = describe(value, self.dimensions)
        if shape and is_fixed(value.shape[0]):
            raise CaptureError(f"'{name}' has the fixed shape {shape}: an operator of the model fixes the batch size")
        fixed = self.fixed_dimensions()
        if fixed:
            raise CaptureError(f"an operator of the model fixes {', '.join(fixed)}: leave out dynamic_sizes")
        return ValueSpec(name, _dtype_name(value), shape)


def _dtype_name(value: Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")


def floating_dtype(values: Iterable[Tensor]) -> torch.dtype:
    """The dtype of the first floating-point tensor.

    Raises:
        ScoreError: There is none.
    """
    for value in values:
        if value.is_floating_point():
            return value.dtype
    raise ScoreError("the model has neither a floating-point input nor an embedding of an integer one to explain")


Key = TypeVar("Key")


def _added(constants: dict[str, Tensor], kind: str, values: Mapping[Key, Tensor]) -> dict[Key, str]:
    """Adds values to the constants; the name of each."""
    names = {key: free_name(f"{kind}_{index}", constants) for index, key in enumerate(values)}
    constants |= {names[key]: value for key, value in values.items()}
    return names


def _constants(program: BiasedProgram) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Every constant of the program by the name of its attribute, and for each bias input that name."""
    constants = {name: value.detach() for name, value in program.graph_module.named_buffers()}
    keys = {}
    for name, value in program.biases.items():
        keys[name] = free_name("bias_" + re.sub(r"\W", "_", name), constants)
        constants[keys[name]] = value
    return constants, keys


def _inputs(graph_module: fx.GraphModule) -> list[fx.Node]:
    return list(graph_module.graph.find_nodes(op="placeholder"))


def _results(graph_module: fx.GraphModule) -> list[fx.Node]:
    (results,) = graph_module.graph.output_node().args
    assert isinstance(results, tuple | list)
    return [node for node in results if isinstance(node, fx.Node)]


def _put_constants_back(graph_module: fx.GraphModule, tracer: _Tracer) -> None:
    """Names the inputs, and turns the lifted constants from placeholders into attributes."""
    graph = graph_module.graph
    names = [*tracer.input_names, *tracer.defaults]
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
    for node in _inputs(graph_module):
        if node.target in tracer.defaults and not node.users:  # of a layer that does not lead to the score
            graph.erase_node(node)
    graph.lint()
    graph_module.recompile()
