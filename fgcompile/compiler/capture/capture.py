"""The first stage: a model becomes one flat graph of ATen operators with a dynamic batch, and sizes if wanted.

``torch.export`` captures, then everything is decomposed to core ATen *except* the operators that are one row of the
bias table: normalisations, softmax, activations and interpolation stay whole.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from fgcompile.compiler.capture.agreement import require_same_outputs
from fgcompile.compiler.capture.binding import Around, Named, argument_names, bind_inputs, innermost, model_name
from fgcompile.compiler.capture.cache import without_cache
from fgcompile.compiler.capture.complex_pairs.rewrite import pair_complex_numbers
from fgcompile.compiler.capture.decompositions import decompositions
from fgcompile.compiler.capture.dynamic_sizes import enlarge, require_free_sizes
from fgcompile.compiler.capture.experts import with_gathered_experts
from fgcompile.compiler.capture.export import export_module
from fgcompile.compiler.capture.flat_graph import unlift
from fgcompile.compiler.capture.free import Free
from fgcompile.compiler.capture.gradients import require_same_gradients
from fgcompile.compiler.capture.index_guards import find_tables
from fgcompile.compiler.capture.index_ranges import find_indexed_axes
from fgcompile.compiler.capture.last_levels import pass_last_levels
from fgcompile.compiler.capture.longest import find_longest
from fgcompile.compiler.capture.models import require_model
from fgcompile.compiler.capture.preparation import prepare
from fgcompile.compiler.capture.requirements import require_explainable
from fgcompile.compiler.capture.scored import Scored
from fgcompile.compiler.capture.size_decisions import SizeDecisionError, with_size_decisions
from fgcompile.compiler.capture.wide_indices import widen_indices
from fgcompile.compiler.examples import Inputs, as_inputs, in_one_batch
from fgcompile.compiler.ir.fixed_batch import ALONE
from fgcompile.compiler.ir.nodes import identifiers
from fgcompile.compiler.ir.programs import CapturedProgram
from fgcompile.compiler.request import Model
from fgcompile.errors import FgcompileError

aten = torch.ops.aten


def capture(
    model: Model,
    example_inputs: Inputs,
    score: Callable[..., Tensor] | None = None,
    output: str | int | None = None,
    score_inputs: Mapping[str, Tensor] | None = None,
    dynamic_sizes: bool = False,
) -> CapturedProgram:
    """Captures ``model`` as a flat graph of ATen operators whose batch dimension is symbolic.

    ``capture_alone`` captures it for one sample, with a batch of 1 wherever the graph has one.

    Args:
        model: A module in evaluation mode, or an exported program with a dynamic batch.
        example_inputs: A tensor ``(N, …)``, several by position, or a mapping by name; any N ≥ 1.
        score: A function of the model's output ``(N,)`` to capture with it.
        output: Which of the model's outputs the score takes.
        score_inputs: Examples of the score's own inputs ``(N, …)``, by name.
        dynamic_sizes: Whether the spatial sizes of the inputs are symbolic too; an exported program brings its own.

    Raises:
        CaptureError: The model is in training mode, its control flow depends on values, it fixes the batch size,
            or a spatial size that is to be dynamic, it decides by sizes, its samples depend on each other, or it draws
            random numbers.
        InputError: The model is neither, or ``example_inputs`` is empty, not of tensors, not what the model takes, or
            too small to be varied.
        ScoreError: The score cannot be computed, or is not ``(N,)``.
    """
    return _capture(model, example_inputs, _Asked(score, output, score_inputs or {}), Free(True, dynamic_sizes))


def capture_alone(
    model: Model,
    example_inputs: Inputs,
    score: Callable[..., Tensor] | None = None,
    output: str | int | None = None,
    score_inputs: Mapping[str, Tensor] | None = None,
    dynamic_sizes: bool = False,
) -> CapturedProgram:
    """As ``capture``, for one sample: the first of the examples."""
    return _capture(model, example_inputs, _Asked(score, output, score_inputs or {}), Free(False, dynamic_sizes))


@dataclass(frozen=True)
class _Asked:
    """The score that is captured with a model."""

    score: Callable[..., Tensor] | None
    output: str | int | None
    score_inputs: Mapping[str, Tensor]


def _capture(model: Model, example_inputs: Inputs, asked: _Asked, free: Free) -> CapturedProgram:
    own, score = innermost(model), asked.score
    require_model(own)
    bound, inputs = bind_inputs(model, example_inputs)
    extras = {} if score is None else dict(asked.score_inputs)
    given = (*inputs, *as_inputs(list(extras.values()), list(extras))) if extras else inputs
    given = in_one_batch(dict(zip((*argument_names(bound, len(inputs)), *extras), given, strict=True)))
    given = given if free.batch else tuple(value[:ALONE] for value in given)
    computed = bound if score is None else Scored(bound, score, asked.output, list(extras))
    name = model_name(own)
    with without_cache(own), with_gathered_experts(own):
        compared = isinstance(model, nn.Module)
        try:
            captured = _checked(computed, given, name, free, compared)
        except SizeDecisionError as decision:
            captured = _elsewhere(computed, given, name, decision, free)
    captured = dataclasses.replace(
        captured, inputs=captured.inputs[: len(inputs)], score_inputs=tuple(extras), scored=score is not None
    )
    if free.sizes:
        require_free_sizes(captured)
    return pass_last_levels(captured)


def _checked(model: Model, inputs: tuple[Tensor, ...], name: str, free: Free, compared: bool) -> CapturedProgram:
    """The captured program; its outputs, gradients and decisions are the model's, where it is ``compared``."""
    exported = model if isinstance(model, ExportedProgram) else export_module(model, tuple(inputs), name, free)
    captured = _flat(exported, name, free, _input_names(model, len(inputs)))
    require_explainable(captured, free.batch)
    if not compared:
        return captured
    assert isinstance(model, nn.Module)
    require_same_outputs(captured, model, inputs)
    require_same_gradients(captured, model, inputs)
    return with_size_decisions(captured, model, inputs)


def _elsewhere(
    model: Model, inputs: Sequence[Tensor], name: str, decision: SizeDecisionError, free: Free
) -> CapturedProgram:
    """The program captured at larger sizes than the example's, at which it is the model too.

    A network that interpolates its positions leaves that out at its own size alone, where it changes nothing: captured
    at another size the graph is right at all.

    Raises:
        SizeDecisionError: The ``decision`` that was met at the example's sizes, where no graph is the model at all.
    """
    assert isinstance(model, nn.Module)
    try:
        larger = enlarge(model, inputs, model.own if isinstance(model, Scored) else 0)
        captured = _checked(model, larger, name, Free(free.batch, sizes=True), compared=True)
        require_same_outputs(captured, model, inputs)
        require_same_gradients(captured, model, inputs)
    except FgcompileError:
        raise decision from None
    if captured.other_below:
        raise decision
    return captured


def _input_names(model: Model, count: int) -> list[str] | None:
    """The names of the inputs where the model is one of ours around the user's; else the graph has them."""
    if isinstance(model, Scored):
        return identifiers(model.input_names(count))
    if not isinstance(model, Around | Named):
        return None
    return identifiers(argument_names(model, count))


def _flat(
    exported: ExportedProgram, name: str, free: Free, input_names: Sequence[str] | None = None
) -> CapturedProgram:
    """The program in core ATen, its parameters as attributes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*LeafSpec", FutureWarning)  # of PyTorch's own use of its own names
        decomposed = prepare(exported).run_decompositions(decompositions(alone=not free.batch))
    flat = unlift(decomposed, name, input_names)
    pair_complex_numbers(flat.graph_module)
    widen_indices(flat.graph_module)
    return dataclasses.replace(
        flat,
        indexed=tuple(find_indexed_axes(exported)),
        longest=find_longest(exported),
        tables=find_tables(exported),
    )
