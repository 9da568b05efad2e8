"""A model captured, in a dtype, under a rule set: what compiling and verifying have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch.export import ExportedProgram

from fgcompile.compiler.capture.bound import Bound
from fgcompile.compiler.capture.capture import capture, capture_alone
from fgcompile.compiler.capture.samples import require_scores
from fgcompile.compiler.ir.graphs import copy_graph, propagate_shapes
from fgcompile.compiler.ir.model_output import explained
from fgcompile.compiler.ir.programs import CapturedProgram
from fgcompile.compiler.ir.rounding import HALF, nudge_sums, nudged, unit_of
from fgcompile.compiler.ir.runner import dump_stage, run_passes
from fgcompile.compiler.ir.steps import require_slope
from fgcompile.compiler.labels import require_count
from fgcompile.compiler.passes.precision.convert_floats import convert_floats
from fgcompile.compiler.request import Precision, Request
from fgcompile.compiler.rules import apply_rules, choose_rules


def with_own_inputs(bound: Bound, request: Request, labels: Sequence[str] | None = None) -> Request:
    """The request with examples of the inputs that its score takes of its own, where it gives them: ``own_inputs``.

    Where the source or the request names the classes, the score may refuse an output of others: ``require_classes``.

    Raises:
        ScoreError: The output is not one that the score is of.
    """
    give, count = getattr(request.score, "own_inputs", None), getattr(request.score, "require_classes", None)
    named = labels if request.labels is None else request.labels
    asked = give is not None and not request.score_inputs
    if not asked and (count is None or named is None):
        return request
    output = _scored_output(bound, request)
    if count is not None and named is not None:
        count(output, len(named))
    return replace(request, score_inputs=give(output)) if give is not None and asked else request


def require_classes(bound: Bound, request: Request) -> None:
    """Refuses labels that are not as many as the classes of a score, for one that cannot be computed for that.

    Raises:
        InputError: They are fewer or more.
    """
    count = getattr(request.score, "count_classes", None)
    if request.labels is not None and count is not None:
        known = count(_scored_output(bound, request))
        require_count(request.labels, [] if known is None else [known])


def _scored_output(bound: Bound, request: Request) -> Any:
    """What the score is of, for the examples."""
    model: Any = bound.model.module() if isinstance(bound.model, ExportedProgram) else bound.model
    with torch.no_grad():
        outputs = model(*bound.inputs)
    return outputs if request.output is None else explained(outputs, request.output)


def capture_in(
    dtype: torch.dtype,
    bound: Bound,
    request: Request,
) -> tuple[CapturedProgram, Request]:
    """The captured program of a model and its score under a rule set, computing in a dtype.

    Returns:
        The program, and the request with the rules and ψ that ``"auto"`` stands for.
    """
    captured = capture_bound(bound, request)
    require_scores(captured, request.output)
    dump_stage("captured", captured.graph_module)
    return under_rules(in_dtype(captured, dtype), request)


def under_rules(captured: CapturedProgram, request: Request) -> tuple[CapturedProgram, Request]:
    """A captured program under the rule set that is asked for, and the request with what ``"auto"`` stands for.

    Raises:
        ScoreError: Every path to the score goes through operators whose derivative is 0 everywhere.
    """
    captured, request = choose_rules(captured, request)
    captured = apply_rules(captured, request.rules)
    require_slope(captured, request.output)  # behind the rules, which leave paths out
    return captured, request


def capture_bound(bound: Bound, request: Request) -> CapturedProgram:
    """The captured program of a model and its score, with what its inputs are to the user."""
    captured = (capture_alone if bound.alone else capture)(
        bound.model, bound.inputs, request.score, request.output, request.score_inputs, request.dynamic_sizes
    )
    return replace(captured, names=bound.names, batch_axes=bound.batch_axes)


def in_dtype(captured: CapturedProgram, dtype: torch.dtype) -> CapturedProgram:
    """The captured program in another floating-point dtype."""
    half = next((value.dtype for value in captured.graph_module.buffers() if value.dtype in HALF), None)
    weights = captured.weights if half is None else str(half).removeprefix("torch.")
    graph_module = copy_graph(captured.graph_module)
    run_passes(graph_module, [convert_floats(dtype)])
    propagate_shapes(graph_module)
    return replace(captured, graph_module=graph_module, weights=weights)


def as_rounded(captured: CapturedProgram, precision: Precision, draw: int) -> CapturedProgram:
    """The captured program in float32, its weights and sums off by rounding errors of a precision (``ir.rounding``)."""
    rounded = in_dtype(captured, torch.float32)
    generator = torch.Generator().manual_seed(draw)
    for name, buffer in list(rounded.graph_module.named_buffers()):
        setattr(rounded.graph_module, name, nudged(buffer, unit_of(precision, draw), generator))
    nudge_sums(rounded.graph_module, unit_of(precision, draw), generator)
    return rounded
