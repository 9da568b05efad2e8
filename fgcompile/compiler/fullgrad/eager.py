"""Eager evaluation of an exposed program: exact full-gradients for researchers, and the reference of every check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fgcompile.compiler.fullgrad.aggregation import bias_gradients, contributions
from fgcompile.compiler.fullgrad.completeness import completeness_error
from fgcompile.compiler.fullgrad.differentiate import differentiate
from fgcompile.compiler.fullgrad.methods import decompose
from fgcompile.compiler.fullgrad.outputs import explanation_outputs
from fgcompile.compiler.fullgrad.preprocessing import apply_preprocess, preprocess_constants
from fgcompile.compiler.fullgrad.score import class_logits, resolve, score_function
from fgcompile.compiler.fullgrad.terms import FullGradient, detached
from fgcompile.compiler.ir.batch_axes import to_front
from fgcompile.compiler.ir.model_output import explained
from fgcompile.compiler.ir.programs import BiasedProgram
from fgcompile.compiler.request import Request, Target
from fgcompile.errors import InputError


@dataclass(frozen=True)
class FullGradientTerms:
    """The exact full-gradient of a score: ``f(x) = <∂f/∂x, x> + Σ_g <δ_g, b_g>``.

    Attributes:
        output: The model's output.
        target: The explained class of each sample, int64 ``(N,)``; None for a callable target.
        score: ``f(x)``, ``(N,)``.
        input_gradient: ``∂f/∂x``, or a tuple for several inputs.
        bias_gradients: For each site, ``δ ⊙ b`` with the shape of the site's output, the samples in front.
        completeness_error: ``|f(x) − Σ terms|``, absolute, ``(N,)``.
        relative_completeness_error: ``|f(x) − Σ terms| / Σ |terms|``, ``(N,)``.
    """

    output: Any
    target: Tensor | None
    score: Tensor
    input_gradient: Tensor | tuple[Tensor, ...]
    bias_gradients: Mapping[str, Tensor]
    completeness_error: Tensor
    relative_completeness_error: Tensor


def full_gradient_terms(
    program: BiasedProgram, inputs: Sequence[Tensor], target: Target | Tensor, output: str | int | None = None
) -> FullGradientTerms:
    """The full-gradient of a program, see ``fgcompile.full_gradient``; the score's own inputs follow the model's."""
    chosen = _one_each(target, len(inputs[0])) if isinstance(target, Tensor) else None
    mode: Target = None if isinstance(target, Tensor) else ("predicted" if target is None else target)
    result = differentiate(program, inputs, score_function(mode, chosen, output))
    explained_classes = _resolved(mode, chosen, result.output, output)
    sums = contributions(result)
    gradients = tuple(result.returned_gradients().values())
    return FullGradientTerms(
        output=detached(result.output),
        target=explained_classes,
        score=result.score,
        input_gradient=gradients[0] if len(program.inputs) == 1 and gradients else gradients,
        bias_gradients=bias_gradients(result),
        completeness_error=(result.score - sums.sum(1)).abs(),
        relative_completeness_error=completeness_error(result.score, sums),
    )


def evaluate(
    program: BiasedProgram, request: Request, inputs: Sequence[Tensor], chosen: Tensor, dtype: torch.dtype
) -> tuple[FullGradient, dict[str, Tensor]]:
    """The full-gradient and the requested outputs, eagerly, from the graph as it was captured.

    The inputs are those of the artifact: to preprocess, and with the batch where the user has it.
    """
    if request.preprocess is not None:
        constants = preprocess_constants(request.preprocess, dtype)
        first = apply_preprocess(inputs[0], constants["preprocess_scale"], constants["preprocess_shift"])
        inputs = [first, *inputs[1:]]
    axes = (*program.batch_axes, *[0] * (len(inputs) - len(program.batch_axes)))
    inputs = [to_front(value, axis) for value, axis in zip(inputs, axes, strict=True)]
    result = decompose(program, request, inputs, chosen)
    return result, explanation_outputs(result, request)


def _one_each(chosen: Tensor, samples: int) -> Tensor:
    """A class for each sample, int64 ``(N,)``; one is that of all."""
    if chosen.is_floating_point() or chosen.is_complex() or chosen.dtype == torch.bool:
        raise InputError(f"target is a tensor of {chosen.dtype}: give classes, int64 of shape ({samples},)")
    if chosen.ndim > 1 or chosen.numel() not in (1, samples):
        raise InputError(f"target has shape {tuple(chosen.shape)}: give one class per sample, shape ({samples},)")
    return chosen.to(torch.int64).expand(samples)


def _resolved(mode: Target, chosen: Tensor | None, structure: Any, output: str | int | None) -> Tensor | None:
    if callable(mode):
        return None
    logits = class_logits(explained(structure, output))
    if isinstance(mode, int):
        return torch.full((len(logits),), mode)
    if chosen is None:
        return resolve(torch.full((len(logits),), -1), logits)
    # No logit has another number, so that the score would be zero.
    wrong = chosen[(chosen < -1) | (chosen >= logits.shape[1])]
    if len(wrong):
        raise InputError(
            f"target {int(wrong[0])} is out of range: give a class from 0 to {logits.shape[1] - 1}, "
            "or -1 for the predicted one"
        )
    return resolve(chosen, logits)
