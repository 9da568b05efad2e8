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

from fgcompile.compiler.capture.decompositions import decompositions
from fgcompile.compiler.capture.dynamic_sizes import require_free_sizes
from fgcompile.compiler.capture.export import export_module
from fgcompile.compiler.capture.flat_graph import unlift
from fgcompile.compiler.capture.gradients import require_same_gradients
from fgcompile.compiler.capture.preparation import prepare
from fgcompile.compiler.capture.requirements import require_explainable, require_same_outputs
from fgcompile.compiler.capture.scored import Scored
from fgcompile.compiler.ir.programs import CapturedProgram
from fgcompile.compiler.request import as_inputs
from fgcompile.errors import CaptureError

aten = torch.ops.aten


def capture(
    model: nn.Module | ExportedProgram,
    example_inputs: Tensor | Sequence[Tensor],
    score: Callable[..., Tensor] | None = None,
    output: str | int | None = None,
    score_inputs: Mapping[str, Tensor] | None = None,
    dynamic_sizes: bool = False,
) -> CapturedProgram:
    """Captures ``model`` as a flat graph of ATen operators whose batch dimension is symbolic.

    Args:
        model: A module in evaluation mode, or an exported program with a dynamic batch.
        example_inputs: A tensor ``(N, …)``, or a tuple of tensors, as the model takes them; any N ≥ 1.
        score: A function of the model's output ``(N,)`` to capture with it.
        output: Which of the model's outputs the score takes.
        score_inputs: Examples of the score's own inputs ``(N, …)``, by name.
        dynamic_sizes: Whether the spatial sizes of the inputs are symbolic too; an exported program brings its own.

    Raises:
        CaptureError: The model is in training mode, its control flow depends on values, it fixes the batch size,
            or a spatial size that is to be dynamic, its samples depend on each other, or it draws random numbers.
        InputError: ``example_inputs`` is empty, not of tensors, not what the model takes, or too small to be varied.
        ScoreError: The score cannot be computed, or is not ``(N,)``.
    """
    inputs = as_inputs(example_inputs)
    name = type(model).__name__
    if isinstance(model, nn.Module):
        require_evaluation_mode(model)
    extras = dict(score_inputs or {})
    if score is not None:
        scored = Scored(model, score, output, list(extras))
        given = (*inputs, *as_inputs(list(extras.values()))) if extras else inputs
        captured = _flat(export_module(scored, given, name, dynamic_sizes), name, scored.input_names(len(given)))
        captured = dataclasses.replace(
            captured, inputs=captured.inputs[: len(inputs)], score_inputs=tuple(extras), scored=True
        )
    else:
        exported = model if isinstance(model, ExportedProgram) else export_module(model, inputs, name, dynamic_sizes)
        captured = _flat(exported, name)
    require_explainable(captured)
    if isinstance(model, nn.Module):
        whole, values = (model, inputs) if score is None else (scored, given)
        require_same_outputs(captured, whole, values)
        require_same_gradients(captured, whole, values)
    if dynamic_sizes:
        require_free_sizes(captured)
    return captured


def _flat(exported: ExportedProgram, name: str, input_names: Sequence[str] | None = None) -> CapturedProgram:
    """The program in core ATen, its parameters as attributes."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*LeafSpec", FutureWarning)  # of PyTorch's own use of its own names
        decomposed = prepare(exported).run_decompositions(decompositions())
    return unlift(decomposed, name, input_names)


def require_evaluation_mode(model: nn.Module) -> None:
    """Refuses a module any part of which is in training mode, where dropout and batch statistics are random.

    Raises:
        CaptureError: Names the first such part.
    """
    for path, module in model.named_modules():
        if module.training:
            part = f"its part '{path}' is" if path else "it is"
            raise CaptureError(f"{type(model).__name__} cannot be compiled while {part} in training mode: call .eval()")
