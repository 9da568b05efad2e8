"""What came out of a back end, in its runtime, against the eager full-gradient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.names import EXPLAIN, LOGITS
from fgcompile.compiler.checking.differences import relative_difference
from fgcompile.compiler.checking.fused import FusedCheck
from fgcompile.compiler.checking.inputs import (
    ALONE,
    CHECK_CLASSES,
    MANY,
    TOGETHER,
    all_inputs,
    as_dtype,
    picked,
    picked_of,
)
from fgcompile.compiler.ir.programs import FusedProgram
from fgcompile.errors import MissingPackageError, VerificationError, first_line
from fgcompile.runtime.session import Session, open_session


def check_emitted(
    content: bytes, metadata: dict[str, Any], program: FusedProgram, checks: Sequence[FusedCheck]
) -> None:
    """Runs the emitted artifact on the inputs of the checks; without its runtime there is nothing to run it in.

    Raises:
        VerificationError: It does not run, or differs from the eager full-gradient.
    """
    try:
        session = open_session(content, cast(Metadata, metadata), "the artifact")
    except MissingPackageError:
        return
    smallest = min(checks, key=lambda check: sum(value.numel() for value in check.inputs))
    for check in checks:
        values = all_inputs(program, check.inputs, torch.tensor(CHECK_CLASSES))
        given = [as_dtype(value, program.dtype) for value in values]
        limits = limits_of(program, given, check.expected)
        # As many samples as it was traced with, one, and more than it has seen.
        for samples in (TOGETHER, ALONE, MANY) if check is smallest else (TOGETHER, ALONE):
            batch = zip(program.inputs, picked(program, given, samples), strict=True)
            feeds = {spec.name: value.numpy() for spec, value in batch if spec.default is None}
            expected = {
                spec.name: picked_of(spec, check.expected[spec.name], samples)
                for spec in program.outputs
                if spec.name in COMPARED
            }
            _check_run(session, program, feeds, expected, limits)


def _check_run(
    session: Session,
    program: FusedProgram,
    feeds: Mapping[str, np.ndarray[Any, Any]],
    expected: Mapping[str, Tensor],
    limits: Mapping[str, float],
) -> None:
    """On demand both ways count: asked to explain it returns everything, and else the same logits and nothing else."""
    if not program.on_demand:
        check_artifact(_outputs(session, feeds), expected, limits)
        return
    check_artifact(_outputs(session, {**feeds, EXPLAIN: np.array(True)}), expected, limits)
    prediction = _outputs(session, {**feeds, EXPLAIN: np.array(False)})
    require_empty({name: value for name, value in prediction.items() if name != LOGITS})
    check_artifact({LOGITS: prediction[LOGITS]}, expected, limits)


def _outputs(session: Session, feeds: Mapping[str, np.ndarray[Any, Any]]) -> Mapping[str, np.ndarray[Any, Any]]:
    try:
        return session.run(feeds)
    except Exception as error:  # whatever a runtime raises
        raise VerificationError(
            f"the artifact does not run in its runtime ({first_line(error)}): "
            "compile to another format, or replace the operator"
        ) from error


COMPARED = ("logits", "saliency", "contributions")
"""The outputs of an artifact that are compared."""

ARTIFACT_LIMIT = 1e-3
"""Differences of an artifact's outputs below this, relative to the largest magnitude, are always accepted."""


ARTIFACT_FACTOR = 10.0
"""How much further from float64 an artifact may be than the very graph it was emitted from is in eager float32."""


def limits_of(program: FusedProgram, inputs: Sequence[Tensor], expected: Mapping[str, Tensor]) -> dict[str, float]:
    """The largest difference that passes, by the name of each output that is compared.

    Rounding flips single choices of ReLUs and poolings, so maps and contributions are compared by their mean.

    Args:
        program: The program that the artifact was emitted from, in its precision.
        inputs: All of its inputs.
        expected: The eager model's outputs in float64.
    """
    with torch.no_grad():
        eager = dict(zip((spec.name for spec in program.outputs), program.graph_module(*inputs), strict=True))
    return {
        name: max(ARTIFACT_LIMIT, ARTIFACT_FACTOR * relative_difference(eager[name], expected[name], torch.mean))
        for name in COMPARED
        if name in eager
    }


def check_artifact(
    outputs: Mapping[str, NDArray[Any]], expected: Mapping[str, Tensor], limits: Mapping[str, float]
) -> None:
    """Compares what an artifact returns in its runtime with the eager outputs: exporters have defects too.

    Args:
        outputs: The artifact's outputs by name.
        expected: The eager model's outputs in float64.
        limits: Those of ``limits_of``.

    Raises:
        VerificationError: Names the output that differs, and by how much.
    """
    for name, limit in limits.items():
        if name not in outputs:
            continue
        error = relative_difference(outputs[name], expected[name], torch.mean)
        if not error <= limit:
            raise VerificationError(
                f"output '{name}' of the artifact differs from the eager model by {error:.1e} of its maximum "
                f"(limit {limit:.0e}, in shape {tuple(expected[name].shape)}): its exporter or runtime mistakes an "
                "operator; please report the model"
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
