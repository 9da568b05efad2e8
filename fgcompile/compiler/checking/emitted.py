"""What came out of a back end, in its runtime, against the eager full-gradient."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.names import EXPLAIN, is_predicted
from fgcompile.artifact.pair import Pair
from fgcompile.compiler.checking.blame import not_finite, saturation
from fgcompile.compiler.checking.differences import Values
from fgcompile.compiler.checking.expected import Returned, expected_outputs, returned_by
from fgcompile.compiler.checking.fused import FusedCheck
from fgcompile.compiler.checking.inputs import ALONE, MANY, TOGETHER, all_inputs, as_dtype, check_targets, picked
from fgcompile.compiler.checking.report import Comparison, Draws, Outputs, compare
from fgcompile.compiler.ir.programs import BiasedProgram, FusedProgram
from fgcompile.compiler.ir.rounding import nudged, unit_of
from fgcompile.compiler.request import Request
from fgcompile.errors import MissingPackageError, VerificationError, first_line
from fgcompile.runtime.checked import CheckedBackend
from fgcompile.runtime.session import Session, open_session

Rounded = Callable[[int], BiasedProgram]
"""The model in float32, with the rounding errors of a draw in its weights."""


def check_emitted(
    made: bytes | Pair, program: FusedProgram, checks: Sequence[FusedCheck], request: Request, rounded: Rounded
) -> None:
    """Runs the emitted artifact on the inputs of the checks; without its runtime there is nothing to run it in.

    Args:
        made: The artifact's bytes, or its two files.
        program: The program that it was emitted from, with the metadata.
        checks: Those that the program passed.
        request: What was compiled.
        rounded: The eager model with the rounding errors of a draw.

    Raises:
        VerificationError: It does not run, or differs from the eager full-gradient.
    """
    try:
        session = _opened(made, cast(Metadata, program.metadata))
    except MissingPackageError:
        return
    smallest = min(checks, key=lambda check: sum(value.numel() for value in check.inputs))
    for check in checks:
        values = all_inputs(program, check.inputs)
        given = [as_dtype(value, program.dtype) for value in values]
        returned = returned_by(program)
        draws = draws_of(rounded, request, check.inputs, check_targets(program), returned)
        for samples in _batches(program, check is smallest):
            batch = zip(program.inputs, picked(program, given, samples), strict=True)
            feeds = {spec.name: value.numpy() for spec, value in batch if spec.default is None}
            expected = Comparison(
                {},
                _samples(check.expected, samples, returned),
                _of_samples(draws, samples, returned),
                request.precision,
                returned.axes,
                returned.questions,
            )
            _check_run(session, program, feeds, expected)


def _batches(program: FusedProgram, several: bool) -> Sequence[Sequence[int]]:
    """The samples of each call: as many as it was traced with, one, and more than it has seen; or those it is for."""
    if program.batch is not None:
        return (TOGETHER, [number % len(TOGETHER) for number in range(program.batch)])
    return (TOGETHER, ALONE, MANY) if several else (TOGETHER, ALONE)


LARGE = 2**27
"""Bytes of weights above which ONNX Runtime leaves them where they lie: it would have them twice beside the model."""


def _opened(made: bytes | Pair, metadata: Metadata) -> Session:
    if isinstance(made, bytes):
        return open_session(made, metadata, "the artifact")
    if made.size < LARGE:
        return open_session(made.model(), metadata, "the artifact", folder=made.folder)
    from fgcompile.runtime.onnxruntime import MappedBackend  # which may not be installed

    return Session(
        CheckedBackend(partial(MappedBackend, made.model(), metadata, None, None, made.folder), metadata), metadata
    )


def draws_of(rounded: Rounded, request: Request, inputs: Sequence[Tensor], chosen: Tensor, returned: Returned) -> Draws:
    """The eager outputs of each draw, computed once."""

    @functools.cache
    def draw(number: int) -> Mapping[str, Tensor]:
        generator, unit = torch.Generator().manual_seed(number), unit_of(request.precision, number)
        given = [nudged(as_dtype(value, torch.float32), unit, generator) for value in inputs]
        return expected_outputs(rounded(number), request, given, chosen, returned)[0]

    return draw


def _of_samples(draws: Draws, samples: Sequence[int], returned: Returned) -> Draws:
    return lambda number: _samples(draws(number), samples, returned)


def _samples(outputs: Outputs, samples: Sequence[int], returned: Returned) -> dict[str, Values]:
    numbers = torch.tensor(samples)
    return {
        name: torch.as_tensor(value).index_select(returned.axes.get(name, 0), numbers)
        for name, value in outputs.items()
    }


def _check_run(
    session: Session, program: FusedProgram, feeds: Mapping[str, np.ndarray[Any, Any]], expected: Comparison
) -> None:
    """On demand both ways count: asked to explain it returns everything, and else the same logits and nothing else."""
    if not program.on_demand:
        check_artifact(replace(expected, artifact=_outputs(session, feeds)))
        return
    check_artifact(replace(expected, artifact=_outputs(session, {**feeds, EXPLAIN: np.array(True)})))
    prediction = _outputs(session, {**feeds, EXPLAIN: np.array(False)})
    require_empty({name: value for name, value in prediction.items() if not is_predicted(name)})
    check_artifact(replace(expected, artifact={name: prediction[name] for name in prediction if is_predicted(name)}))


def _outputs(session: Session, feeds: Mapping[str, np.ndarray[Any, Any]]) -> Mapping[str, np.ndarray[Any, Any]]:
    try:
        return session.run(feeds)
    except Exception as error:  # whatever a runtime raises
        raise VerificationError(
            f"the artifact does not run in its runtime ({first_line(error)}): "
            "compile to another format, or replace the operator"
        ) from error


def check_artifact(comparison: Comparison) -> None:
    """Holds what an artifact returns in its runtime to what ``verify`` does: exporters have defects too.

    Raises:
        VerificationError: Names the output that differs, and by how much.
    """
    for check in compare(comparison).checks:
        if not check.passed:
            exact, artifact = comparison.exact, comparison.artifact
            saturated = None if check.name.startswith(("logits", "another model")) else saturation(exact)
            if (found := not_finite(exact, artifact) or saturated) is not None:
                raise VerificationError(found)
            samples = len(comparison.exact["contributions"])
            raise VerificationError(
                f"the artifact differs from the eager model: {check.name}, {check.measured:.1e} (limit "
                f"{check.limit:.0e}, in a batch of {samples}): its exporter or runtime mistakes an operator, or loses "
                "more digits than PyTorch; please report the model"
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
