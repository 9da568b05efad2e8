"""The arguments of the traced function: one value that owns their order, lifts constants to them and puts these back.

The model's inputs, the score's own, the class if the artifact takes it, the bias parameters if it takes those, and then
every constant, which becomes an attribute again once the graph is traced.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, fx

from fgcompile.artifact.names import EXPLAIN
from fgcompile.compiler.fullgrad.arrangement import index_orders
from fgcompile.compiler.fullgrad.methods import noise_constants
from fgcompile.compiler.fullgrad.preprocessing import apply_preprocess, preprocess_constants, require_image_model
from fgcompile.compiler.fullgrad.score import floating_dtype, target_shape
from fgcompile.compiler.fullgrad.size_watch import SizeWatch
from fgcompile.compiler.fullgrad.terms import StandIns
from fgcompile.compiler.ir.batch_axes import put_back, to_front
from fgcompile.compiler.ir.graphs import any_size, fake, fake_mode
from fgcompile.compiler.ir.model_output import explained
from fgcompile.compiler.ir.nodes import free_name, identifiers
from fgcompile.compiler.ir.programs import BiasedProgram
from fgcompile.compiler.ir.samples import returned
from fgcompile.compiler.request import Request
from fgcompile.errors import InputError

TARGET = "target"
"""The input that tells the class."""

Key = TypeVar("Key")


@dataclass(frozen=True)
class Given:
    """The arguments of one call of the traced function, told apart.

    Attributes:
        inputs: The model's, preprocessed, then the score's own.
        chosen: The class of each sample, if the artifact takes it.
        stand_ins: What takes the place of constants.
    """

    inputs: list[Tensor]
    chosen: Tensor | None
    stand_ins: StandIns


class Arguments:
    """The arguments that a program is traced with, for what was asked for.

    Attributes:
        examples: The fake values of the model's inputs, then of the score's own.
        names: The names of the artifact's inputs that have no default, in order.
        called: The same by the names that they have in the graph.
        defaults: The bias parameters that the artifact takes, by the names of those inputs.
        constants: Everything else that is lifted, by the name of its attribute.
        dtype: The floating-point dtype that the program computes in.
        explained: The output of which the artifact's input ``target`` tells an element, if it takes it.
        watch: Sees which operator makes a number of a dynamic size.

    Raises:
        InputError: The model has an input whose name the artifact needs, or the preprocessing does not fit it.
    """

    def __init__(self, program: BiasedProgram, request: Request) -> None:
        given = (*program.inputs, *program.score_inputs)
        placeholders = program.graph_module.graph.find_nodes(op="placeholder")[: len(given)]
        self.examples: list[Tensor] = [node.meta["val"] for node in placeholders]
        self.dtype = floating_dtype([*self.examples, *program.biases.values()])
        self.watch = SizeWatch(self.examples)
        self.names = _input_names(program, request)
        # A file's name may be none of Python's, which an argument needs; ``called`` tells what it is outside.
        self.called = dict(zip(identifiers(self.names), self.names, strict=True))
        self._batch_axes = (*program.batch_axes, *[0] * (len(given) - len(program.batch_axes)))
        self._takes_target = request.target is None
        self.explained = explained(returned(program), request.output) if self._takes_target else None
        self._preprocess = request.preprocess
        if request.preprocess is not None:
            require_image_model(request.preprocess, self.examples[: len(program.inputs)], program.maps)
        self._lift(program, request)
        # How many targets a call has, a symbol where any number; of several only.
        self.count = request.targets if isinstance(request.targets, int | None) else any_size(self._mode)

    def _lift(self, program: BiasedProgram, request: Request) -> None:
        """Gives every constant a name, in the order in which all later stages see them."""
        # A constant made while tracing would become a fake one without a value: all are made here, traced as arguments.
        self._mode = fake_mode(program.graph_module.graph)
        self.constants = {name: value.detach() for name, value in program.graph_module.named_buffers()}
        self._biases = {}
        for name, value in program.biases.items():
            self._biases[name] = free_name("bias_" + re.sub(r"\W", "_", name), self.constants)
            self.constants[self._biases[name]] = value
        self._orders = self._added("order", index_orders(program))
        if request.preprocess is not None:
            self.constants |= preprocess_constants(request.preprocess, self.dtype)
        noisy = request.method == "smooth_fullgrad"
        self._noise = self._added("noise", noise_constants(program, self.examples, request.copies) if noisy else {})
        parameters = [term.input for site in program.sites for term in site.terms if term.input is not None]
        keys = [self._biases[name] for name in parameters] if request.biases == "inputs" else []
        self.defaults = {key: self.constants.pop(key) for key in keys}

    def _added(self, kind: str, values: Mapping[Key, Tensor]) -> dict[Key, str]:
        """Adds values to the constants; the name of each."""
        names = {key: free_name(f"{kind}_{index}", self.constants) for index, key in enumerate(values)}
        self.constants |= {names[key]: value for key, value in values.items()}
        return names

    def batch_axis(self, place: int) -> int:
        """Where an input of the artifact has its batch, by its place: the model's, the score's, then the target."""
        return self._batch_axes[place] if place < len(self._batch_axes) else 0

    def fakes(self) -> list[Tensor]:
        """Fake values of all arguments, to trace with; called within the program's fake mode."""
        inputs = [put_back(value, axis) for value, axis in zip(self.examples, self._batch_axes, strict=True)]
        if self._preprocess is not None:
            inputs[0] = _raw_image(inputs[0])
        if self._takes_target:
            behind = target_shape(self.explained, self.count)
            inputs.append(torch.empty((self.examples[0].shape[0], *behind), dtype=torch.int64))
        return inputs + [fake(value, self._mode) for value in (*self.defaults.values(), *self.constants.values())]

    def tell_apart(self, arguments: Sequence[Tensor]) -> Given:
        """The arguments of one call by what they are, the first input preprocessed, all with their batch in front."""
        count = len(self.examples)
        inputs, rest = list(arguments[:count]), list(arguments[count:])
        chosen = rest.pop(0) if self._takes_target else None
        constants = dict(zip((*self.defaults, *self.constants), rest, strict=True))
        if self._preprocess is not None:
            scale, shift = constants["preprocess_scale"], constants["preprocess_shift"]
            inputs[0] = apply_preprocess(inputs[0], scale, shift, self._preprocess.order)
        inputs = [to_front(value, axis) for value, axis in zip(inputs, self._batch_axes, strict=True)]
        stand_ins = StandIns(
            biases={name: constants[key] for name, key in self._biases.items()},
            attributes=constants,
            orders={order: constants[key] for order, key in self._orders.items()},
            noise={name: constants[key] for name, key in self._noise.items()},
            watch=self.watch,
        )
        return Given(inputs, chosen, stand_ins)

    def put_back(self, graph_module: fx.GraphModule) -> None:
        """Names the inputs of the traced graph, and turns the lifted constants from placeholders into attributes."""
        graph = graph_module.graph
        names = [*self.called, *self.defaults]
        placeholders = list(graph.find_nodes(op="placeholder"))
        for node, name in zip(placeholders, names, strict=False):
            with graph.inserting_before(node):
                renamed = graph.placeholder(name)
            # An input of a layer that does not lead to the score is none of the artifact's.
            _replace(node, renamed)
            if name in self.defaults and not renamed.users:
                graph.erase_node(renamed)
        # Behind the named inputs come the constants, in their order; one that nothing reads is left out.
        for node, (name, value) in zip(placeholders[len(names) :], self.constants.items(), strict=True):
            if not node.users:
                graph.erase_node(node)
                continue
            graph_module.register_buffer(name, value)
            with graph.inserting_before(node):
                attribute = graph.get_attr(name)
            _replace(node, attribute)
        graph.lint()
        graph_module.recompile()


def _input_names(program: BiasedProgram, request: Request) -> list[str]:
    names = [*(program.names or program.inputs), *program.score_inputs]
    # Names of ours that an input of the model may have taken.
    own = [TARGET] * (request.target is None) + [EXPLAIN] * request.on_demand
    if taken := [name for name in own if name in names]:
        raise InputError(f"the artifact has an input '{taken[0]}', and so has the model: rename the model's")
    return [*names, TARGET] if request.target is None else names


def _raw_image(example: Tensor) -> Tensor:
    batch, channels, height, width = example.shape
    return torch.empty((batch, height, width, channels), dtype=torch.uint8)


def _replace(node: fx.Node, by: fx.Node) -> None:
    by.meta = node.meta
    node.replace_all_uses_with(by)
    node.graph.erase_node(node)
