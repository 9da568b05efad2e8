"""The first stage: a model becomes one flat graph of ATen operators with a dynamic batch, and sizes if wanted.

``torch.export`` captures, then everything is decomposed to core ATen *except* the operators that are one row of the
bias table: normalisations, softmax, activations and interpolation stay whole.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from fgcompile.compiler.capture.agreement import require_same_outputs
from fgcompile.compiler.capture.binding import ByName, bind_inputs
from fgcompile.compiler.capture.cache import without_cache
from fgcompile.compiler.capture.decompositions import decompositions
from fgcompile.compiler.capture.dynamic_sizes import require_free_sizes
from fgcompile.compiler.capture.export import export_module
from fgcompile.compiler.capture.fake_quantize import require_frozen_observers
from fgcompile.compiler.capture.flat_graph import unlift
from fgcompile.compiler.capture.gradients import require_same_gradients
from fgcompile.compiler.capture.index_ranges import find_indexed_axes
from fgcompile.compiler.capture.preparation import prepare
from fgcompile.compiler.capture.requirements import require_explainable
from fgcompile.compiler.capture.scored import Scored
from fgcompile.compiler.ir.programs import CapturedProgram
from fgcompile.compiler.request import Inputs, Model, as_inputs
from fgcompile.errors import CaptureError, InputError

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

    Args:
        model: A module in evaluation mode, or an exported program with a dynamic batch.
        example_inputs: A tensor ``(N, …)``, several by position, or a mapping by name; any N ≥ 1.
        score: A function of the model's output ``(N,)`` to capture with it.
        output: Which of the model's outputs the score takes.
        score_inputs: Examples of the score's own inputs ``(N, …)``, by name.
        dynamic_sizes: Whether the spatial sizes of the inputs are symbolic too; an exported program brings its own.

    Raises:
        CaptureError: The model is in training mode, its control flow depends on values, it fixes the batch size,
            or a spatial size that is to be dynamic, its samples depend on each other, or it draws random numbers.
        InputError: The model is neither, or ``example_inputs`` is empty, not of tensors, not what the model takes, or
            too small to be varied.
        ScoreError: The score cannot be computed, or is not ``(N,)``.
    """
    if isinstance(model, nn.Module):
        require_python_code(model)
        require_evaluation_mode(model)
        require_frozen_observers(model)
    elif not isinstance(model, ExportedProgram):
        what = f"the class {model.__name__}" if isinstance(model, type) else f"of type {type(model).__name__}"
        raise InputError(
            f"the model is {what}: pass a torch.nn.Module, built and in evaluation mode, or an ExportedProgram"
        )
    bound, inputs = bind_inputs(model, example_inputs)
    extras = {} if score is None else dict(score_inputs or {})
    given = (*inputs, *as_inputs(list(extras.values()))) if extras else inputs
    computed = bound if score is None else Scored(bound, score, output, list(extras))
    name = type(model).__name__
    with without_cache(model):
        exported = (
            computed if isinstance(computed, ExportedProgram) else export_module(computed, given, name, dynamic_sizes)
        )
        captured = _flat(
            exported, name, computed.input_names(len(given)) if isinstance(computed, Scored | ByName) else None
        )
        require_explainable(captured)
        if isinstance(model, nn.Module):
            assert isinstance(computed, nn.Module)
            require_same_outputs(captured, computed, given)
            require_same_gradients(captured, computed, given)
    if dynamic_sizes:
        require_free_sizes(captured)
    return dataclasses.replace(
        captured, inputs=captured.inputs[: len(inputs)], score_inputs=tuple(extras), scored=score is not None
    )


def _flat(exported: ExportedProgram, name: str, input_names: Sequence[str] | None = None) -> CapturedProgram:
    """The program in core ATen, its parameters as attributes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*LeafSpec", FutureWarning)  # of PyTorch's own use of its own names
        decomposed = prepare(exported).run_decompositions(decompositions())
    return dataclasses.replace(unlift(decomposed, name, input_names), indexed=tuple(find_indexed_axes(exported)))


def require_evaluation_mode(model: nn.Module) -> None:
    """Refuses a module any part of which is in training mode, where dropout and batch statistics are random.

    Raises:
        CaptureError: Names the first such part.
    """
    for path, module in model.named_modules():
        if module.training:
            part = f"its part '{path}' is" if path else "it is"
            raise CaptureError(f"{type(model).__name__} cannot be compiled while {part} in training mode: call .eval()")


def require_python_code(model: nn.Module) -> None:
    """Refuses a module that was traced or scripted.

    Raises:
        CaptureError: It was.
    """
    if isinstance(model, torch.jit.ScriptModule):
        raise CaptureError(
            f"the model is a {type(model).__name__}, traced or scripted by torch.jit, and has no Python code: "
            "compile the nn.Module that it was made from"
        )
