"""A bound model up to the checked fused program: with a free batch where the model takes one, else one sample alone.

    free    x (N, …) → model → …                            checked in batches of 1, 2 and 3
    alone   x (1, …) → model, whose batch is the number 1   checked one sample after the other

What is asked for decides: without ``batch`` the batch is free, or the model refused. With it a model that takes no free
batch, since it loops over its samples, say, is captured for one sample.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from fgcompile.artifact.names import DYNAMIC
from fgcompile.compiler.capture.apart import require_apart
from fgcompile.compiler.capture.bound import Bound
from fgcompile.compiler.capture.complex_pairs.rewrite import require_real
from fgcompile.compiler.capture.flat_graph import constant_name
from fgcompile.compiler.checking.fused import FusedCheck, make_checks
from fgcompile.compiler.checking.sizes import LayOut
from fgcompile.compiler.checking.smallest import find_smallest
from fgcompile.compiler.expose.at_sizes import at_sizes
from fgcompile.compiler.expose.expose import expose
from fgcompile.compiler.frontend import capture_in, require_classes, with_own_inputs
from fgcompile.compiler.fullgrad.gradient_scale import choose_gradient_scale
from fgcompile.compiler.ir.fixed_batch import OfTheBatch
from fgcompile.compiler.ir.memory import release_memory
from fgcompile.compiler.ir.programs import BiasedProgram, CapturedProgram, FusedProgram
from fgcompile.compiler.ir.runner import dump_stage, run_program_passes
from fgcompile.compiler.ir.samples import require_samples
from fgcompile.compiler.labels import require_labels, with_own_labels
from fgcompile.compiler.lowering import decomposition_table
from fgcompile.compiler.passes.fold.batch_norm import fold_batch_norm
from fgcompile.compiler.passes.fold.concatenation import nest_concatenations
from fgcompile.compiler.passes.fold.layer_scale import fold_layer_scale
from fgcompile.compiler.passes.fold.padding import fold_padding
from fgcompile.compiler.passes.optimize.optimize import optimize
from fgcompile.compiler.request import Request
from fgcompile.compiler.sources import Opened
from fgcompile.compiler.tracing.portability import require_portable, require_portable_writes
from fgcompile.compiler.tracing.preservation import preserve_interpolation
from fgcompile.compiler.tracing.trace import trace
from fgcompile.errors import CaptureError, FgcompileError, InputError, ScoreError

Progress = Callable[[str], None]
Made = TypeVar("Made")


@dataclass(frozen=True)
class Fused:
    """A fused program in float64, and all that it was made of.

    Attributes:
        request: What was asked for, with what it was left to the stages to choose.
        captured: The model's graph under the rules.
        exposed: The same with its biases as inputs.
        program: What is to be emitted.
        examples: Those of all inputs.
    """

    request: Request
    captured: CapturedProgram
    exposed: BiasedProgram
    program: FusedProgram
    examples: tuple[Tensor, ...]

    @property
    def lay_out(self) -> LayOut:
        """The exposed program with the layouts of other sizes."""
        return partial(at_sizes, self.exposed, self.request.layouts)


class Checked(NamedTuple):
    """A fused program, and what it was checked on."""

    fused: Fused
    checks: list[FusedCheck]


def fuse_bound(bound: Bound, opened: Opened, request: Request, report: Progress = lambda stage: None) -> Fused:
    """Captures a model, and fuses it with its explanation, in float64."""
    request = with_own_inputs(bound, request, opened.labels.names)
    try:
        captured, request = capture_in(torch.float64, bound, request)
    except ScoreError:
        require_classes(bound, request)  # a class out of range, where labels are too many
        raise
    captured = replace(captured, explained=opened.explained, fixed=opened.fixed)
    captured = replace(captured, random=is_random(captured, opened.random))
    request = with_own_labels(captured, request, opened.labels)
    require_labels(captured, request)
    examples = request.examples(bound.inputs)
    exposed, program = fuse_captured(captured, request, examples, report)
    return Fused(request, captured, exposed, program, examples)


def is_random(captured: CapturedProgram, random: bool | Collection[str]) -> bool:
    """Whether a model's graph reads weights that are known to be random: one may load all but an idle head."""
    if isinstance(random, bool):
        return random
    read = {str(node.target) for node in captured.graph_module.graph.find_nodes(op="get_attr")}
    return any(constant_name(name) in read for name in random)


def check_fused(fused: Fused, report: Progress) -> Checked:
    """Checks a fused program against the eager full-gradient, and finds the smallest sizes that it takes."""
    report("check")
    checks = make_checks(fused.exposed, fused.program, fused.request, fused.examples, fused.lay_out)
    program, checks = find_smallest(fused.program, fused.request, checks, fused.examples, fused.lay_out)
    return Checked(replace(fused, program=program), checks)


def as_asked(bound: Bound, request: Request, make: Callable[[Bound], Made]) -> Made:
    """What is made of a model: with a free batch, or of one sample where a batch is asked for and none is free.

    Raises:
        CaptureError: The model cannot be captured; or several samples are asked for of one that takes no free batch,
            and its samples depend on each other.
        FgcompileError: Others of making it.
    """
    if not bound.alone:
        try:
            return make(bound)
        except (CaptureError, ScoreError, InputError) as error:
            if request.batch is None:
                raise _with_way_out(error, bound, request) from error.__cause__
        # Only here, since an error holds the graph of the first attempt.
        if isinstance(bound.model, nn.Module):
            release_memory(bound.model)
    made = make(replace(bound, alone=True))
    require_apart(bound, with_own_inputs(bound, request))
    return made


def _with_way_out(error: FgcompileError, bound: Bound, request: Request) -> FgcompileError:
    """The error, which names a graph of one sample as a way out where there is one."""
    if not isinstance(error, OfTheBatch) or request.method == "smooth_fullgrad" or request.targets == DYNAMIC:
        return _of_users(error)
    try:
        captured, request = capture_in(torch.float64, replace(bound, alone=True), request)
        expose(captured, request.layouts)
    except FgcompileError:
        return _of_users(error)
    return _of_users(error, f"{error}, or compile it for one sample a call, batch=1")


def _of_users(error: FgcompileError, message: str | None = None) -> FgcompileError:
    """An error of the kind that users know: that the batch may be its reason is between stages."""
    kinds = (CaptureError, ScoreError, InputError)
    kind = next(kind for kind in (*kinds, type(error)) if isinstance(error, kind))
    return kind(str(error) if message is None else message) if isinstance(error, OfTheBatch) else error


def fuse_captured(
    captured: CapturedProgram,
    request: Request,
    examples: Sequence[Tensor],
    report: Progress = lambda stage: None,
) -> tuple[BiasedProgram, FusedProgram]:
    """The captured program with its biases exposed, and the fused one that explains it, both in its own dtype."""
    table = decomposition_table(request.format, request.device)
    require_portable_writes(captured.graph_module, table)
    require_real(captured.graph_module)
    report("expose")
    exposed = expose(captured, request.layouts)
    require_samples(exposed, request.output)
    dump_stage("exposed", exposed.graph_module)
    report("fold")
    # A folded bias is scaled, and its site has another gradient: what is asked for here are the layers' own.
    own = request.biases == "inputs" or request.method == "simple_fullgrad"
    scales = [fold_batch_norm(with_bias=not own), *([] if own else [fold_layer_scale])]
    folded = run_program_passes(exposed, [fold_padding, *scales, nest_concatenations])
    if request.precision == "float16":
        folded = replace(folded, gradient_scale=choose_gradient_scale(exposed, request, examples))
    report("differentiate")
    with preserve_interpolation():
        program = trace(folded, request, table)
    dump_stage("differentiated", program.graph_module)
    report("optimise")
    optimize(program.graph_module)
    require_portable(program.graph_module)
    return exposed, program
