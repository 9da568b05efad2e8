"""The checks while compiling: the fused program, in float64, against the eager full-gradient of the untouched graph;
then what came out of the back end, in its runtime, against the same.

The two share the formulas of the bias table; folding, lowering, tracing and every pass are what is checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from fgcompile.errors import CaptureError, VerificationError
from fgcompile.program import FusedProgram

LIMIT = 1e-9
"""Largest allowed difference, relative to the largest magnitude of the output."""

CONDITION_FACTOR = 100.0
"""How many times the effect of one rounding error in the input a difference may be, in a model that amplifies them."""

WORST_LIMIT = 1e-3
"""The limit above which a model amplifies rounding errors too much for its graph to be checked."""

COMPLETENESS_LIMIT = 1e-9
"""Largest allowed ``|f − Σ terms| / Σ |terms|``."""


def check_program(
    program: FusedProgram, inputs: Sequence[Tensor], expected: Mapping[str, Tensor], limit: float = LIMIT
) -> None:
    """Compares every output of the fused program with the eager one, and the first sample's with those it has alone.

    Args:
        program: The fused program, in float64.
        inputs: All of its inputs.
        expected: The eager outputs.
        limit: The largest difference that passes, relative to the largest magnitude of the output.

    Raises:
        CaptureError: A sample's outputs depend on the other samples.
        VerificationError: Names the output that differs, and by how much.
    """
    with torch.no_grad():
        outputs = program.graph_module(*inputs)
    require_independent_samples(program, inputs, outputs, limit)
    for spec, value in zip(program.outputs, outputs, strict=True):
        if spec.name == "residual":
            continue  # rounding alone; completeness is checked by its own measure
        error = relative_difference(value, expected[spec.name])
        if not error <= limit:
            raise VerificationError(
                f"output '{spec.name}' of the fused graph differs from the eager model by {error:.1e} of its maximum "
                f"(limit {limit:.0e}): this is a defect of fgcompile, please report the model"
            )


def limit_of_condition(nudged: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> float:
    """The limit for a model in which rounding errors grow: ``LIMIT``, or a multiple of what one in the input does.

    Args:
        nudged: The eager outputs for inputs that are off by one rounding error.
        expected: Those for the inputs.

    Raises:
        VerificationError: The model amplifies rounding errors too much for its graph to be checked.
    """
    growth = max(relative_difference(nudged[name], expected[name]) for name in expected if name != "residual")
    if not CONDITION_FACTOR * growth <= WORST_LIMIT:
        raise VerificationError(
            f"a rounding error of 1e-16 in the input changes what the model returns by {growth:.0e} of its maximum, so "
            "no graph of it can be checked: its statistics or weights do not fit each other; train or calibrate it"
        )
    return max(LIMIT, CONDITION_FACTOR * growth)


def require_independent_samples(
    program: FusedProgram, inputs: Sequence[Tensor], batch: Sequence[Tensor], limit: float = LIMIT
) -> None:
    """Compares the first sample's outputs alone with those it has in ``batch``, the outputs of all samples.

    Raises:
        CaptureError: They differ, so an explanation would depend on the other samples.
    """
    with torch.no_grad():
        first = (
            value if spec.default is not None else value[:1] for spec, value in zip(program.inputs, inputs, strict=True)
        )
        alone = program.graph_module(*first)
    for spec, together, single in zip(program.outputs, batch, alone, strict=True):
        if spec.name == "residual":
            continue
        if spec.shape[0] == "batch" and not relative_difference(single, together[:1]) <= limit:
            raise CaptureError(
                f"output '{spec.name}' of a sample depends on the other samples of its batch, so it has no explanation "
                "of its own: remove operations over the batch (means, batch statistics, comparisons between samples)"
            )


ARTIFACT_LIMIT = 1e-3
"""Differences of an artifact's outputs below this, relative to the largest magnitude, are always accepted."""

ARTIFACT_FACTOR = 10.0
"""How much further from float64 an artifact may be than the very graph it was emitted from is in eager float32."""


def check_artifact(
    outputs: Mapping[str, NDArray[Any]], program: FusedProgram, inputs: Sequence[Tensor], expected: Mapping[str, Tensor]
) -> None:
    """Compares what an artifact returns in its runtime with the eager outputs: exporters have defects too.

    Rounding flips single choices of ReLUs and poolings, so maps and contributions are compared by their mean.

    Args:
        outputs: The artifact's outputs by name.
        program: The program it was emitted from, in the artifact's precision.
        inputs: What both were given.
        expected: The eager model's outputs in float64.

    Raises:
        VerificationError: Names the output that differs, and by how much.
    """
    with torch.no_grad():
        eager = dict(zip((spec.name for spec in program.outputs), program.graph_module(*inputs), strict=True))
    for name in ("logits", "saliency", "contributions"):
        if name not in outputs:
            continue
        error = _mean_difference(torch.from_numpy(outputs[name]), expected[name])
        limit = max(ARTIFACT_LIMIT, ARTIFACT_FACTOR * _mean_difference(eager[name], expected[name]))
        if not error <= limit:
            raise VerificationError(
                f"output '{name}' of the artifact differs from the eager model by {error:.1e} of its maximum "
                f"(limit {limit:.0e}): its exporter or runtime mistakes an operator; please report the model"
            )


def require_empty(outputs: Mapping[str, NDArray[Any]]) -> None:
    """Passes outputs without an element, as an artifact on demand returns them where it is not to explain.

    Raises:
        VerificationError: Names one that has elements.
    """
    for name, value in outputs.items():
        if value.size:
            raise VerificationError(
                f"output '{name}' of the artifact has shape {value.shape} where it was asked for the logits alone: "
                "this is a defect of fgcompile, please report the model"
            )


def _mean_difference(value: Tensor, reference: Tensor) -> float:
    """``mean |value − reference| / max |reference|``."""
    scale = max(reference.abs().max().item(), 1e-12)
    return (value.double() - reference).abs().mean().item() / scale


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
