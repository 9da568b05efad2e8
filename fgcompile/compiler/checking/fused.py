"""The checks while compiling: the fused program, in float64, against the eager full-gradient of the untouched graph;
then what came out of the back end, in its runtime, against the same.

The two share the formulas of the bias table; folding, lowering, tracing and every pass are what is checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fgcompile.compiler.checking.blame import not_finite, saturation
from fgcompile.compiler.checking.crowds import others_of
from fgcompile.compiler.checking.differences import relative_difference
from fgcompile.compiler.checking.expected import expected_outputs, returned_by
from fgcompile.compiler.checking.independence import dependence, require_independent_samples
from fgcompile.compiler.checking.inputs import (
    CHECK_SAMPLES,
    TOGETHER,
    all_inputs,
    check_targets,
    make_inputs,
    picked,
    picked_of,
)
from fgcompile.compiler.checking.shapes import run_at
from fgcompile.compiler.checking.sizes import LayOut, Sizes, example_sizes, other_sizes
from fgcompile.compiler.fullgrad.completeness import completeness_error
from fgcompile.compiler.ir.fixed_batch import FixedBatchError, is_alone, takes_one_sample
from fgcompile.compiler.ir.programs import BiasedProgram, FusedProgram
from fgcompile.compiler.ir.sizes import BATCH, samples_axis
from fgcompile.compiler.ir.weights import WEIGHT
from fgcompile.compiler.request import Request
from fgcompile.errors import CaptureError, InputError, VerificationError, first_line

LIMIT = 1e-9
"""Largest allowed difference, relative to the largest magnitude of the output."""

CONDITION_FACTOR = 100.0
"""How many times the effect of one rounding error in the input a difference may be, in a model that amplifies them."""

WORST_LIMIT = 1e-3
"""The limit above which a model amplifies rounding errors too much for its graph to be checked."""

COMPLETENESS_LIMIT = 1e-9
"""Largest allowed ``|f − Σ terms| / Σ |terms|``."""


class _DifferenceError(VerificationError):
    """The fused graph and the eager model differ."""


def check_program(
    program: FusedProgram,
    inputs: Sequence[Tensor],
    expected: Mapping[str, Tensor],
    samples: Sequence[int],
    limit: float = LIMIT,
) -> None:
    """Compares every output of the fused program with the eager one, and each sample's with those it has alone.

    The fused program has the samples in a larger batch than the eager model, in other places.

    Args:
        program: The fused program, in float64.
        inputs: All of its inputs.
        expected: The eager outputs.
        samples: Those of the larger batch, by their number.
        limit: The largest difference that passes, relative to the largest magnitude of the output.

    Raises:
        CaptureError: A batch size was left in the graph; or a sample's outputs depend on the other samples.
        VerificationError: Names the output that differs, and by how much.
    """
    outputs = run_at(program, picked(program, inputs, samples))
    for spec, value in zip(program.outputs, outputs, strict=True):
        if spec.name == "residual" or samples_axis(spec.shape) is None:
            continue  # rounding alone; completeness is checked by its own measure
        error = relative_difference(value, picked_of(spec, expected[spec.name], samples))
        if not error <= limit:
            raise _DifferenceError(
                f"output '{spec.name}' of the fused graph differs from the eager model by {error:.1e} of its maximum "
                f"(limit {limit:.0e}): this is a defect of fgcompile, please report the model"
            )
    require_independent_samples(program, inputs, samples, outputs, limit)


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


_ROUNDING = torch.finfo(torch.float64).eps


@dataclass(frozen=True)
class FusedCheck:
    """Inputs on which the fused program was checked.

    Attributes:
        inputs: The inputs.
        expected: The eager outputs in float64.
        completeness: The completeness error.
        limit: The largest difference that passed.
    """

    inputs: Sequence[Tensor]
    expected: Mapping[str, Tensor]
    completeness: float
    limit: float = LIMIT


def _cause(exposed: BiasedProgram, inputs: Sequence[Tensor]) -> str | None:
    if is_alone(exposed.graph_module.graph):
        return None
    try:
        return dependence(exposed, inputs)
    except RuntimeError:  # of PyTorch, where the model's own graph does not take other batches
        return None


def make_checks(
    exposed: BiasedProgram, program: FusedProgram, request: Request, examples: Sequence[Tensor], lay_out: LayOut
) -> list[FusedCheck]:
    """Checks the fused program at the example's sizes and, where they are dynamic, at larger and smaller ones.

    At each with batches of 3 and 1, against the eager model with one of 2, and with the layouts that the sites have
    there. A graph of one sample takes those of a batch one after the other.

    Raises:
        VerificationError: The fused graph differs from the eager full-gradient, or the terms miss the score.
        CaptureError: A sample's outputs depend on the other samples, or other sizes than the example's go wrong.
    """
    checks = []
    for sizes in (None, *other_sizes(program)):
        inputs = make_inputs(program, examples, sizes)
        try:
            laid = exposed if sizes is None else lay_out({**sizes, BATCH: CHECK_SAMPLES})
            reference = expected_outputs(laid, request, inputs, check_targets(program), returned_by(program))
            checks.append(_check_fused(laid, program, request, inputs, reference))
        except CaptureError as error:  # of a size, say, where the cause is that samples depend on each other
            cause = _cause(exposed, inputs)
            raise (type(error)(str(error)) if cause is None else FixedBatchError(cause)) from error
        # Of PyTorch, where sizes do not fit; of a layout that was written for the example's.
        except (RuntimeError, VerificationError, InputError) as error:
            if sizes is None:
                raise
            # Below some size a model takes nothing: a kernel or a padding that is larger than what is left.
            if isinstance(error, RuntimeError) and _is_smaller(sizes, program):
                continue
            raise CaptureError(
                f"the graph is right at the example's sizes and not at others ({first_line(error)}): "
                "an operator of the model fixes them, so leave out dynamic_sizes"
            ) from error
    return checks


def _is_smaller(sizes: Sizes, program: FusedProgram) -> bool:
    return all(sizes[name] < size for name, size in example_sizes(program).items())


def _check_fused(
    exposed: BiasedProgram,
    program: FusedProgram,
    request: Request,
    inputs: Sequence[Tensor],
    reference: tuple[dict[str, Tensor], Tensor],
) -> FusedCheck:
    # A difference beyond the limit need not be a defect: a model may amplify rounding. So the eager model is run once
    # more on inputs one rounding error away, and the limit becomes a multiple of what that does. A defect exceeds that
    # too.
    expected, score = reference
    try:
        limit = _limit(exposed, program, request, inputs, expected)
        return FusedCheck(inputs, expected, require_complete(score, expected["contributions"]), limit)
    except (CaptureError, VerificationError) as error:
        values = run_at(program, all_inputs(program, inputs))
        returned = {spec.name: value for spec, value in zip(program.outputs, values, strict=True)}
        if found := not_finite(expected, returned, _weights(exposed)):
            raise VerificationError(found) from error
        # That samples depend on each other is no saturation's doing.
        if isinstance(error, _DifferenceError) and (cause := _cause(exposed, inputs)):
            raise FixedBatchError(cause) from error
        if isinstance(error, VerificationError) and (found := saturation(expected)):
            raise VerificationError(found) from error
        raise


def _weights(exposed: BiasedProgram) -> Iterator[tuple[str, str, Tensor]]:
    """What a graph computes with."""
    for name, value in (*exposed.graph_module.named_buffers(), *exposed.biases.items()):
        yield WEIGHT, name, value


def _limit(
    exposed: BiasedProgram,
    program: FusedProgram,
    request: Request,
    inputs: Sequence[Tensor],
    expected: Mapping[str, Tensor],
) -> float:
    """The limit within which the fused program is the eager model's."""
    given, limit = all_inputs(program, inputs), LIMIT
    samples = TOGETHER if takes_one_sample(program) else others_of(exposed.graph_module.graph)
    try:
        check_program(program, given, expected, samples)
    except (CaptureError, VerificationError):  # a difference, which may be that of rounding errors that the model grows
        nudged = [value * (1 + _ROUNDING) if value.is_floating_point() else value for value in inputs]
        changed, _ = expected_outputs(exposed, request, nudged, check_targets(program), returned_by(program))
        limit = limit_of_condition(changed, expected)
        check_program(program, given, expected, samples, limit)
    return limit
