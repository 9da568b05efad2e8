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
from fgcompile.compiler.checking.inputs import CHECK_CLASSES, all_inputs, as_dtype
from fgcompile.compiler.ir.programs import FusedProgram
from fgcompile.errors import MissingPackageError, VerificationError
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
    for check in checks:
        values = all_inputs(program, check.inputs, torch.tensor(CHECK_CLASSES))
        given = [as_dtype(value, program.dtype) for value in values]
        feeds = {
            spec.name: value.numpy() for spec, value in zip(program.inputs, given, strict=True) if spec.default is None
        }
        # On demand both ways count: asked to explain it returns everything, and else the same logits and nothing in the
        # rest.
        if not program.on_demand:
            check_artifact(_outputs(session, feeds), program, given, check.expected)
            continue
        check_artifact(_outputs(session, {**feeds, EXPLAIN: np.array(True)}), program, given, check.expected)
        prediction = _outputs(session, {**feeds, EXPLAIN: np.array(False)})
        require_empty({name: value for name, value in prediction.items() if name != LOGITS})
        check_artifact({LOGITS: prediction[LOGITS]}, program, given, check.expected)


def _outputs(session: Session, feeds: Mapping[str, np.ndarray[Any, Any]]) -> Mapping[str, np.ndarray[Any, Any]]:
    try:
        return session.run(feeds)
    except Exception as error:  # whatever a runtime raises
        reason = str(error).strip().splitlines()[0]
        raise VerificationError(
            f"the artifact does not run in its runtime ({reason}): compile to another format, or replace the operator"
        ) from error


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
        error = relative_difference(outputs[name], expected[name], torch.mean)
        limit = max(ARTIFACT_LIMIT, ARTIFACT_FACTOR * relative_difference(eager[name], expected[name], torch.mean))
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
