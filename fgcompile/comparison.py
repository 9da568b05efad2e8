"""Runs a fused graph or an artifact beside the eager model: the checks while compiling, and ``verify`` afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from fgcompile.artifact import EXPLAIN, LOGITS, Metadata, read_metadata
from fgcompile.capture import capture
from fgcompile.check import check_artifact, check_program, limit_of_condition, require_complete, require_empty
from fgcompile.dynamic_sizes import repeated
from fgcompile.eager import evaluate, regroup
from fgcompile.errors import CaptureError, InputError, MissingPackageError, VerificationError
from fgcompile.expose import expose
from fgcompile.metadata import read_request
from fgcompile.passes.convert_floats import convert_floats
from fgcompile.program import BiasedProgram, CapturedProgram, FusedProgram, Request
from fgcompile.rules import apply_rules
from fgcompile.runtime.session import Provider, Session, load, open_session
from fgcompile.shapes import BATCH, propagate_shapes, size_factor
from fgcompile.verification import Report, compare

CHECK_CLASSES = (0, -1)
"""The classes that the checks explain, and so their batch size: not the one that back ends trace with."""

CHECK_SEED = 0

_ROUNDING = torch.finfo(torch.float64).eps

Model = nn.Module | ExportedProgram
Inputs = Tensor | Sequence[Tensor]


def capture_in(
    dtype: torch.dtype,
    model: Model,
    inputs: Inputs,
    request: Request,
    rules: str,
    score_inputs: Mapping[str, Tensor] | None = None,
    dynamic_sizes: bool = False,
) -> CapturedProgram:
    """The captured program of a model and its score under a rule set, computing in a dtype."""
    score = request.target if callable(request.target) else None
    captured = capture(model, inputs, score, request.output, score_inputs, dynamic_sizes)
    return apply_rules(in_dtype(captured, dtype), rules)


def in_dtype(captured: CapturedProgram, dtype: torch.dtype) -> CapturedProgram:
    """The captured program in another floating-point dtype."""
    graph_module = convert_floats(captured.graph_module, dtype)
    propagate_shapes(graph_module)
    return replace(captured, graph_module=graph_module)


def make_inputs(program: FusedProgram, examples: Sequence[Tensor], larger: bool = False) -> list[Tensor]:
    """Seeded noise for the checks; inputs that are not numbers of an image or signal are the example's.

    It is positive where the example is nowhere negative: the model may take its logarithm.

    Args:
        program: The fused program.
        examples: The inputs that the model was compiled with.
        larger: Whether dynamic sizes of space are other ones than the example's, each in its own way.
    """
    generator = torch.Generator().manual_seed(CHECK_SEED)
    sizes = _check_sizes(program, larger)
    inputs = []
    for spec, example in zip(program.inputs, examples, strict=False):
        shape = [sizes[size] if isinstance(size, str) else size for size in spec.shape]
        if spec.dtype == "uint8":
            inputs.append(torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8))
        elif spec.dtype.startswith("float"):
            noise = torch.randn(shape, generator=generator, dtype=torch.float64)
            inputs.append(noise.abs() if 0 <= example.min() < example.max() else noise)
        else:
            inputs.append(repeated(example[:1], shape))
    return inputs


def _check_sizes(program: FusedProgram, larger: bool) -> dict[str, int]:
    """The numbers in place of dynamic sizes; the larger ones exceed the example's by odd multiples of their step."""
    found = {
        name: size
        for spec in program.inputs
        for name, size in zip(spec.shape, spec.example or (), strict=False)
        if isinstance(name, str) and name != BATCH
    }
    steps = {name: size_factor(name) * (2 * index + 1) if larger else 0 for index, name in enumerate(found)}
    return {BATCH: len(CHECK_CLASSES), **{name: size + steps[name] for name, size in found.items()}}


@dataclass(frozen=True)
class FusedCheck:
    """Inputs on which the fused program was checked.

    Attributes:
        inputs: The inputs.
        expected: The eager outputs in float64.
        completeness: The completeness error.
    """

    inputs: Sequence[Tensor]
    expected: Mapping[str, Tensor]
    completeness: float


def make_checks(
    exposed: BiasedProgram, program: FusedProgram, request: Request, examples: Sequence[Tensor]
) -> list[FusedCheck]:
    """Checks the fused program at the example's sizes and, where they are dynamic, at larger ones.

    Raises:
        VerificationError: The fused graph differs from the eager full-gradient, or the terms miss the score.
        CaptureError: A sample's outputs depend on the other samples, or other sizes than the example's go wrong.
    """
    checks = [_check_fused(exposed, program, request, make_inputs(program, examples))]
    if all(spec.example is None for spec in program.inputs):
        return checks
    try:
        checks.append(_check_fused(exposed, program, request, make_inputs(program, examples, larger=True)))
    except (RuntimeError, VerificationError) as error:  # of PyTorch, where sizes do not fit
        raise CaptureError(
            f"the graph is right at the example's sizes and not at others ({str(error).splitlines()[0]}): "
            "an operator of the model fixes them, so leave out dynamic_sizes"
        ) from error
    return checks


def _check_fused(
    exposed: BiasedProgram, program: FusedProgram, request: Request, inputs: Sequence[Tensor]
) -> FusedCheck:
    chosen = torch.tensor(CHECK_CLASSES)
    expected, score = _expected(exposed, program, request, inputs)
    given = _all_inputs(program, inputs, chosen)
    try:
        check_program(program, given, expected)
    except (CaptureError, VerificationError):  # a difference, which may be that of rounding errors that the model grows
        nudged = [value * (1 + _ROUNDING) if value.is_floating_point() else value for value in inputs]
        changed, _ = _expected(exposed, program, request, nudged)
        check_program(program, given, expected, limit_of_condition(changed, expected))
    return FusedCheck(inputs, expected, require_complete(score, expected["contributions"]))


def _expected(
    exposed: BiasedProgram, program: FusedProgram, request: Request, inputs: Sequence[Tensor]
) -> tuple[dict[str, Tensor], Tensor]:
    """The eager outputs in float64, and the scores; with noisy copies sample by sample, which takes half the memory."""
    request = replace(request, outputs=(*request.outputs, "contributions"))
    step = 1 if request.method == "smooth_fullgrad" else len(CHECK_CLASSES)
    parts, scores = [], []
    for chosen, *given in zip(
        *(torch.split(value, step) for value in (torch.tensor(CHECK_CLASSES), *inputs)), strict=True
    ):
        result, outputs = evaluate(exposed, request, given, chosen, torch.float64)
        parts.append(regroup(program, outputs, result))
        scores.append(result.score.detach())
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}, torch.cat(scores)


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
        all_inputs = _all_inputs(program, check.inputs, torch.tensor(CHECK_CLASSES))
        given = [_as_dtype(value, program.dtype) for value in all_inputs]
        feeds = {
            spec.name: value.numpy() for spec, value in zip(program.inputs, given, strict=True) if spec.default is None
        }
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


def verify(
    path: str | Path,
    model: Model,
    inputs: Inputs | np.ndarray[Any, Any] | Sequence[np.ndarray[Any, Any]],
    target: Callable[..., Tensor] | None = None,
    providers: Sequence[Provider] | None = None,
) -> Report:
    """Compares an artifact with the eager model it was compiled from, on given inputs.

    The model is evaluated eagerly, operator by operator, in float64 and in float32; the artifact's map may be no
    further from the float64 map than three times what eager float32 is (medians over the inputs).

    Args:
        path: The artifact.
        model: The model that it was compiled from.
        inputs: What the *artifact* takes: raw images ``(N, H, W, C)`` if it was compiled with ``preprocess``, and a
            score's own inputs after the model's.
        target: The score that it was compiled with, if that was a function.
        providers: Where the artifact runs, as for ``fgcompile.load``.

    Raises:
        ArtifactError: The file is damaged or not an artifact.
        InputError: The inputs do not fit, or the artifact explains a function, and that was not given.
    """
    metadata = read_metadata(path)
    if (metadata["target"] == "score") != (target is not None):
        advice = (
            "is one class's" if target is not None else "was a function, which an artifact does not hold: pass target="
        )
        raise InputError(f"the score that '{path}' explains {advice}")
    arrays = [np.asarray(value) for value in ([inputs] if isinstance(inputs, Tensor | np.ndarray) else inputs)]
    outputs = load(path, providers).run(_feeds(metadata, arrays))
    request = replace(read_request(metadata), outputs=("logits", "saliency", "contributions"))
    request = request if target is None else replace(request, target=target)
    tensors = [torch.from_numpy(array) for array in arrays]
    example = tensors[0] if request.preprocess is None else tensors[0].permute(0, 3, 1, 2).float()

    own = metadata.get("score_inputs", [])
    examples = [example, *tensors[1:]]
    extras = dict(zip(own, examples[len(examples) - len(own) :], strict=True))

    def eager(dtype: torch.dtype) -> dict[str, np.ndarray[Any, Any]]:
        given = examples[: len(examples) - len(own)]
        captured = capture_in(dtype, model, given, request, metadata["rules"], extras)
        given = [_as_dtype(value, dtype) for value in tensors]
        chosen = torch.full((len(given[0]),), -1)
        _, values = evaluate(expose(captured, metadata.get("layouts")), request, given, chosen, dtype)
        return {name: value.numpy() for name, value in values.items()}

    return compare(outputs, eager(torch.float64), eager(torch.float32))


def _all_inputs(program: FusedProgram, inputs: Sequence[Tensor], chosen: Tensor) -> list[Tensor]:
    """The given inputs, the class if the program takes it, and the defaults of the others."""
    given = iter(inputs)
    values = []
    for spec in program.inputs:
        default = chosen if spec.name == "target" else spec.default
        values.append(next(given) if default is None else default)
    return values


def _feeds(metadata: Metadata, arrays: Sequence[np.ndarray[Any, Any]]) -> dict[str, np.ndarray[Any, Any]]:
    names = [spec["name"] for spec in metadata["inputs"]]
    feeds = dict(zip(names, arrays, strict=False))
    if metadata["target"] == "input":
        feeds["target"] = np.full(len(arrays[0]), -1, dtype=np.int64)
    if metadata.get("on_demand"):
        feeds[EXPLAIN] = np.array(True)
    return feeds


def _as_dtype(value: Tensor, dtype: torch.dtype) -> Tensor:
    return value.to(dtype) if value.is_floating_point() else value
