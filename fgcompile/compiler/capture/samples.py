"""What a captured program returns for each sample: a score, or logits, along the batch."""

from __future__ import annotations

from torch import Tensor

from fgcompile.compiler.ir.fixed_batch import FixedBatchScoreError
from fgcompile.compiler.ir.model_output import explained
from fgcompile.compiler.ir.programs import CapturedProgram
from fgcompile.compiler.ir.samples import depends_on_inputs, returned
from fgcompile.compiler.ir.sizes import batch_axis, describe, dimension_names, is_fixed, same_size
from fgcompile.errors import ScoreError


def require_scores(captured: CapturedProgram, output: str | int | None) -> None:
    """Refuses a score, or class logits ``(N, K)``, that do not have the samples in front.

    Raises:
        ScoreError: Says what shape they have.
    """
    structure = returned(captured)
    value = structure[1] if captured.scored else explained(structure, output)
    inputs = [node.meta["val"] for node in captured.graph_module.graph.find_nodes(op="placeholder")]
    if captured.scored and isinstance(value, Tensor) and value.is_complex():
        raise ScoreError("the score is complex, and what is explained is a real number: return its .real, or .abs()")
    if not isinstance(value, Tensor) or value.ndim == 0 or same_size(value.shape[0], inputs[0].shape[0]):
        return
    if not depends_on_inputs(captured, value):
        return  # which is refused as such, once it is differentiated
    shape = describe(value, dimension_names(inputs))
    if not is_fixed(value.shape[0]):
        what = "score" if captured.scored else "model's output"
        raise ScoreError(
            f"the {what} has shape {shape}, not one row for each sample: return (N, …) from the model, or name another "
            "output, output="
        )
    if captured.scored:
        raise FixedBatchScoreError(
            f"the score has shape {shape} whatever the batch: it must be one scalar per sample, (N,)"
        )
    found = "its batch is on another axis" if batch_axis(shape)[0] > 0 else "it is the same for every batch"
    raise FixedBatchScoreError(
        f"the model's output has shape {shape}, not (N, K) class logits, {found}: "
        "pass target=score, a function from the output to one scalar per sample (N,), or name another, output="
    )
