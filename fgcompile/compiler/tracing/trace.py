"""Traces model, score, gradients and aggregation into one flat graph without autograd: the fused program.

``make_fx`` runs the eager code of ``differentiate`` and ``saliency`` over fake tensors with a symbolic batch, and
symbolic sizes if wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor, fx
from torch.fx.traceback import preserve_node_meta

from fgcompile.artifact.names import DYNAMIC, TARGETS, is_predicted
from fgcompile.compiler.fullgrad.methods import decompose, largest_elements
from fgcompile.compiler.fullgrad.outputs import batch_axes, by_questions, explanation_outputs
from fgcompile.compiler.ir.annotations import aggregation
from fgcompile.compiler.ir.fixed_batch import ALONE, FixedBatchError, FixedBatchScoreError, is_alone
from fgcompile.compiler.ir.graphs import fake_mode
from fgcompile.compiler.ir.programs import BiasedProgram, FusedProgram, Shape, Site, ValueSpec
from fgcompile.compiler.ir.sizes import BATCH, batch_axis, describe, dimension_names, hint, is_fixed
from fgcompile.compiler.ir.torch_internals import OpOverload, make_fx
from fgcompile.compiler.request import Request
from fgcompile.compiler.tracing.arguments import Arguments, Given
from fgcompile.compiler.tracing.compute_once import as_rows, compute_once, in_rows
from fgcompile.errors import CaptureError, InputError

FEW_TARGETS = 8
"""Up to as many targets have a backward pass each in a package of AOTInductor."""


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
        ScoreError: The score is not one scalar per sample that depends on the input, or an output has no samples.
    """
    tracer = _Tracer(program, request)
    with fake_mode(program.graph_module.graph), preserve_node_meta():
        graph_module = make_fx(tracer.run, decompositions)(*tracer.arguments.fakes())
    tracer.arguments.put_back(graph_module)
    if tracer.in_one_batch:
        predicted = [is_predicted(name) for name in tracer.output_names]
        graph_module = compute_once(graph_module, predicted, request.targets)
    return FusedProgram(
        graph_module=graph_module,
        inputs=tuple(tracer.specify_input(node, place) for place, node in enumerate(_inputs(graph_module))),
        outputs=tuple(
            tracer.specify(name, node.meta["val"])
            for name, node in zip(tracer.output_names, _results(graph_module), strict=True)
        ),
        sites=tuple(tracer.sites),
        dtype=tracer.arguments.dtype,
        asked=tracer.asked(),
        questions=request.targets,
        on_demand=request.on_demand,
    )


def in_one_batch(request: Request) -> bool:
    """Whether several targets are rows of one batch, and not a backward pass for each.

    Noisy copies are already rows of a sample, all of them others. In AOTInductor a backward pass for each is leaner,
    and faster for large networks, while compiling takes longer with each (docs/decisions/several-targets.md).
    """
    few = isinstance(request.targets, int) and request.targets <= FEW_TARGETS
    in_turns = request.method == "smooth_fullgrad" or (request.format == "pt2" and few)
    return request.targets is not None and not in_turns


class _Tracer:
    """The function that is traced, and what it found out on the way."""

    def __init__(self, program: BiasedProgram, request: Request) -> None:
        self.program = program
        self.request = request
        self.alone = is_alone(program.graph_module.graph)
        if self.alone:
            _require_fit(request)
        # One sample alone has one row, so that the graph has a backward for each of its targets.
        self.in_one_batch = in_one_batch(request) and not self.alone
        self.arguments = Arguments(program, request)
        self.dimensions = self._dimension_names()
        self.output_names: list[str] = []
        self.moved: dict[str, int] = {}
        self.sites: list[Site] = []

    def _dimension_names(self) -> dict[str, str]:
        count = self.arguments.count
        own = {} if count is None or is_fixed(count) else {str(count): TARGETS}
        return dimension_names(self.arguments.examples) | own

    def fixed_dimensions(self) -> list[str]:
        """The names of the inputs' sizes that turned out to be numbers or one another."""
        found = self._dimension_names()
        return [name for symbol, name in self.dimensions.items() if symbol not in found]

    def run(self, *arguments: Tensor) -> tuple[Tensor, ...]:
        given = self.arguments.tell_apart(arguments)
        if self.in_one_batch:
            return self._returned(self._of_rows(given))
        results = decompose(self.program, self.request, given.inputs, given.chosen, given.stand_ins)
        self.sites = [value.site for value in results[0].sites]
        self.moved = batch_axes(results[0])
        with aggregation():
            return self._returned(explanation_outputs(results, self.request))

    def _of_rows(self, given: Given) -> dict[str, Tensor]:
        """The outputs of several targets as rows, see ``compute_once``."""
        inputs, chosen = given.inputs, given.chosen
        if chosen is None:
            chosen = largest_elements(self.program, inputs, given.stand_ins, self.request)
        count = chosen.shape[1]
        alone = replace(self.request, targets=None, target=None)
        rows = [in_rows(value, count) for value in inputs]
        (result,) = decompose(self.program, alone, rows, as_rows(chosen), given.stand_ins)
        self.sites = [value.site for value in result.sites]
        with aggregation():
            return by_questions(explanation_outputs([result], alone), result, count)

    def _returned(self, outputs: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        self.output_names = list(outputs)
        return tuple(outputs.values())

    def asked(self) -> Shape:
        """The sizes of the axes that the input ``target`` indexes."""
        of = self.arguments.explained
        return () if of is None else describe(of, self.dimensions)[1:]

    def specify_input(self, node: fx.Node, place: int) -> ValueSpec:
        name = str(node.target)
        if name in self.arguments.defaults:
            value = self.arguments.defaults[name]
            return ValueSpec(name, _dtype_name(value), tuple(value.shape), value)
        name = self.arguments.called[name]
        value = node.meta["val"]
        spec = self.specify(name, value, self.arguments.batch_axis(place))
        if sum(isinstance(size, str) for size in spec.shape) < 2 or TARGETS in spec.shape:
            return spec
        sizes = zip(spec.shape, value.shape, strict=True)
        return replace(spec, example=tuple(1 if name == BATCH else hint(size) for name, size in sizes))

    def specify(self, name: str, value: Tensor, alone: int | None = None) -> ValueSpec:
        """Name, dtype and shape of an input or output; ``alone`` is the axis where one sample alone has its batch.

        Raises:
            CaptureError: Its batch is fixed, or a size of space that is to be dynamic.
            ScoreError: It has no batch, or several entries of it for each sample.
        """
        shape = describe(value, self.dimensions)
        if self.alone:
            shape = _with_batch(shape, self.moved.get(name, 0) if alone is None else alone)
        if fixed := self.fixed_dimensions():
            advice = ADVICE if BATCH in fixed else f"leave out {'targets' if TARGETS in fixed else 'dynamic_sizes'}"
            culprit = self.arguments.watch.place() or "an operator of the model"
            kind = FixedBatchError if BATCH in fixed else CaptureError
            raise kind(f"{culprit} fixes {', '.join(fixed)} to a number: {advice}")
        if not shape or (is_fixed(value.shape[0]) and batch_axis(shape)[0] < 0):
            raise FixedBatchScoreError(
                f"the output '{name}' has shape {shape} for every batch, so no sample has its own: "
                f"name another output of the model, output=, or leave {name} out of outputs"
            )
        if (own := batch_axis(shape)[1]) > 1:
            raise FixedBatchScoreError(
                f"the output '{name}' has shape {shape}, {own} rows for each sample that no one can tell apart: return "
                f"(N, {own}, …) from the model, or leave {name} out of outputs"
            )
        return ValueSpec(name, _dtype_name(value), shape)


def _with_batch(shape: Shape, axis: int) -> Shape:
    """The shape with the batch by its name, on its axis or else the only one of size 1; as it is where there is none.

    What a model returns beside its logits has its batch where it likes.
    """
    ones = [place for place, size in enumerate(shape) if size == ALONE]
    axis = axis if axis in ones else ones[0] if len(ones) == 1 else -1
    return shape if axis < 0 else (*shape[:axis], BATCH, *shape[axis + 1 :])


def _require_fit(request: Request) -> None:
    """Refuses what needs more rows than one of a graph of one sample.

    Raises:
        InputError: Names it.
    """
    if request.method == "smooth_fullgrad":
        raise InputError(
            "smooth_fullgrad computes a batch of noisy copies, and this model was captured for one sample alone, since "
            "it takes no free batch: use fullgrad"
        )
    if request.targets == DYNAMIC:
        raise InputError(
            "targets='dynamic' computes a batch of any number of targets, and this model was captured for one sample "
            "alone, since it takes no free batch: give the number of targets"
        )


ADVICE = "write sizes as x.shape[0] or -1 in its forward and its backward, or replace it"


def _dtype_name(value: Tensor) -> str:
    return str(value.dtype).removeprefix("torch.")


def _inputs(graph_module: fx.GraphModule) -> list[fx.Node]:
    return list(graph_module.graph.find_nodes(op="placeholder"))


def _results(graph_module: fx.GraphModule) -> list[fx.Node]:
    (results,) = graph_module.graph.output_node().args
    assert isinstance(results, tuple | list)
    return [node for node in results if isinstance(node, fx.Node)]
