"""Eager evaluation of an exposed program: exact full-gradients for researchers, and the reference of every check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fgcompile.artifact.questions import require_elements
from fgcompile.compiler.fullgrad.aggregation import bias_gradients, contributions
from fgcompile.compiler.fullgrad.completeness import completeness_error
from fgcompile.compiler.fullgrad.differentiate import differentiate
from fgcompile.compiler.fullgrad.methods import decompose
from fgcompile.compiler.fullgrad.outputs import explanation_outputs
from fgcompile.compiler.fullgrad.preprocessing import apply_preprocess, preprocess_constants
from fgcompile.compiler.fullgrad.score import as_indices, class_logits, resolve, score_function
from fgcompile.compiler.fullgrad.terms import FullGradient, detached
from fgcompile.compiler.ir.batch_axes import to_front
from fgcompile.compiler.ir.model_output import explained
from fgcompile.compiler.ir.programs import BiasedProgram
from fgcompile.compiler.ir.samples import returned
from fgcompile.compiler.ir.torch_internals import pytree
from fgcompile.compiler.request import Request, Target
from fgcompile.errors import InputError, VerificationError

MISSED = 1e-3
"""What terms may miss a score by, relative to their magnitudes, in the rounding of any precision."""


@dataclass(frozen=True)
class FullGradientTerms:
    """The exact full-gradient of a score: ``f(x) = <∂f/∂x, x> + Σ_g <δ_g, b_g>``.

    Attributes:
        output: The model's output.
        target: The explained element of each sample, int64: its class ``(N,)``, or of an output of more axes one index
            for each, ``(N, r)``; None for a callable target.
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
    asked = None
    if isinstance(target, Tensor):
        logits = class_logits(explained(returned(program), output))
        asked = _one_each(target, len(inputs[0]), logits.ndim - 1)
        # No logit has another number, so that the score would be zero.
        require_elements(asked.cpu().numpy(), [size if isinstance(size, int) else None for size in logits.shape[1:]])
    mode: Target = None if isinstance(target, Tensor) else ("predicted" if target is None else target)
    (result,) = differentiate(program, inputs, [score_function(mode, asked, output)])
    explained_classes = _resolved(mode, asked, result.output, output)
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


def require_sum(terms: FullGradientTerms) -> None:
    """Passes terms that add up to their scores, but for rounding.

    Raises:
        VerificationError: They do not.
    """
    limit = max(MISSED, 100 * torch.finfo(terms.score.dtype).eps)
    # Of what cancels to nothing, as the sum of a normalisation's, rounding is all of the terms, little of the output.
    values = [value for value in pytree.tree_leaves(terms.output) if isinstance(value, Tensor) and value.numel()]
    largest = max((float(value.abs().max()) for value in values if value.is_floating_point()), default=0.0)
    missed = (terms.relative_completeness_error > limit) & (terms.completeness_error > limit * largest)
    if missed.any():
        worst = float(terms.relative_completeness_error[missed].max())
        raise VerificationError(
            f"the terms miss the score by {worst:.1e} of their magnitude: an operator of the model is computed in a "
            "way that its bias is not known for; please report the model"
        )


def evaluate(
    program: BiasedProgram, request: Request, inputs: Sequence[Tensor], chosen: Tensor, dtype: torch.dtype
) -> list[FullGradient]:
    """The full-gradient of each question, eagerly, from the graph as it was captured.

    The inputs are those of the artifact: to preprocess, and with the batch where the user has it.
    """
    if request.preprocess is not None:
        constants = preprocess_constants(request.preprocess, dtype)
        scale, shift = constants["preprocess_scale"], constants["preprocess_shift"]
        first = apply_preprocess(inputs[0], scale, shift, request.preprocess.order)
        inputs = [first, *inputs[1:]]
    axes = (*program.batch_axes, *[0] * (len(inputs) - len(program.batch_axes)))
    inputs = [to_front(value, axis) for value, axis in zip(inputs, axes, strict=True)]
    return decompose(program, request, inputs, chosen)


def evaluate_outputs(
    program: BiasedProgram, request: Request, inputs: Sequence[Tensor], chosen: Tensor, dtype: torch.dtype
) -> dict[str, Tensor]:
    """The requested outputs by name, eagerly; the arguments are those of ``evaluate``."""
    return explanation_outputs(evaluate(program, request, inputs, chosen, dtype), request)


def _one_each(chosen: Tensor, samples: int, rank: int) -> Tensor:
    """A class for each sample, int64 ``(N,)``, or ``(N, r)`` indices; one is that of all."""
    behind = () if rank == 1 else (rank,)
    if chosen.is_floating_point() or chosen.is_complex() or chosen.dtype == torch.bool:
        raise InputError(f"target is a tensor of {chosen.dtype}: give classes, int64 of shape {(samples, *behind)}")
    if chosen.shape not in (behind, (1, *behind), (samples, *behind)):
        kind = "class" if rank == 1 else f"{rank} indices"
        shape = tuple(chosen.shape)
        raise InputError(f"target has shape {shape}: give one {kind} per sample, shape {(samples, *behind)}")
    return chosen.to(torch.int64).expand(samples, *behind)


def _resolved(mode: Target, chosen: Tensor | None, structure: Any, output: str | int | None) -> Tensor | None:
    if callable(mode):
        return None
    logits = class_logits(explained(structure, output))
    if isinstance(mode, int):
        return torch.full((len(logits),), mode)
    rank = logits.ndim - 1
    if chosen is None:
        chosen = torch.full((len(logits),) if rank == 1 else (len(logits), rank), -1)
    return as_indices(resolve(chosen, logits), logits)
