"""The check before emission: the fused program, in float64, against the eager full-gradient of the untouched graph.

The two share the formulas of the bias table; folding, lowering, tracing and every pass are what is checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from fgcompile.errors import VerificationError
from fgcompile.program import FusedProgram

LIMIT = 1e-9
"""Largest allowed difference, relative to the largest magnitude of the output."""

COMPLETENESS_LIMIT = 1e-9
"""Largest allowed ``|f − Σ terms| / Σ |terms|``."""


def check_program(program: FusedProgram, inputs: Sequence[Tensor], expected: Mapping[str, Tensor]) -> None:
    """Compares every output of the fused program with the eager one.

    Raises:
        VerificationError: Names the output that differs, and by how much.
    """
    with torch.no_grad():
        outputs = program.graph_module(*inputs)
    for spec, value in zip(program.outputs, outputs, strict=True):
        reference = expected[spec.name]
        error = relative_difference(value, reference)
        if spec.name == "residual":
            continue  # rounding alone; completeness is checked by its own measure
        if not error <= LIMIT:
            raise VerificationError(
                f"output '{spec.name}' of the fused graph differs from the eager model by {error:.1e} of its maximum "
                f"(limit {LIMIT:.0e}): this is a defect of fgcompile, please report the model"
            )


def relative_difference(value: Tensor, reference: Tensor) -> float:
    """``max |value − reference| / max |reference|``; 0 where both are zero."""
    if value.shape != reference.shape:
        return float("inf")
    difference = (value - reference).abs().max().item() if value.numel() else 0.0
    scale = reference.abs().max().item() if reference.numel() else 0.0
    return difference / scale if scale > 0 else difference


def completeness_error(score: Tensor, contributions: Tensor) -> Tensor:
    """``|f − Σ terms| / Σ |terms|`` per sample ``(N,)``, 0 where every term is zero."""
    magnitude = contributions.abs().sum(1)
    error = (score - contributions.sum(1)).abs()
    return torch.where(magnitude > 0, error / magnitude.clamp(min=torch.finfo(magnitude.dtype).tiny), error)


def require_complete(score: Tensor, contributions: Tensor) -> float:
    """The largest completeness error of a batch.

    Raises:
        VerificationError: It is above the limit.
    """
    error = completeness_error(score, contributions).max().item()
    if not error <= COMPLETENESS_LIMIT:
        raise VerificationError(
            f"the terms miss the score by {error:.1e} of their magnitude (limit {COMPLETENESS_LIMIT:.0e}): "
            "an operator's bias is wrong or its derivative is not finite; please report the model"
        )
    return error
