"""Runs a fused graph or an artifact beside the eager model: the checks while compiling, and ``verify`` afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.names import EXPLAIN, LOGITS, MODEL, is_predicted
from fgcompile.artifact.scores import arguments_of
from fgcompile.artifact.validation import Array, batch_size, check_inputs, input_specs
from fgcompile.artifact.wishes import class_of
from fgcompile.compiler.capture.binding import by_name
from fgcompile.compiler.capture.bound import bind
from fgcompile.compiler.capture.models import require_model
from fgcompile.compiler.capture.onnx.comparison import on_file, rounding_on_file
from fgcompile.compiler.checking.differences import relative_difference
from fgcompile.compiler.checking.emitted import draws_of
from fgcompile.compiler.checking.expected import expected_outputs, returned_as
from fgcompile.compiler.checking.inputs import as_dtype, verified_targets
from fgcompile.compiler.checking.report import Check, Comparison, Report, compare
from fgcompile.compiler.compiled import Artifact
from fgcompile.compiler.description import parameter_digest, read_request
from fgcompile.compiler.expose.expose import expose
from fgcompile.compiler.frontend import as_rounded, capture_in
from fgcompile.compiler.ir.programs import BiasedProgram
from fgcompile.compiler.ir.turns import one_at_a_time
from fgcompile.compiler.request import Model, Request
from fgcompile.compiler.sources import open_model, read_model
from fgcompile.errors import ArtifactError, CaptureError, FgcompileError, InputError, ScoreError
from fgcompile.runtime.session import Provider, load
from fgcompile.scores import SCORES

OTHER_WEIGHTS = "another model: its weights are not the artifact's"
"""The check that fails first where the model's weights are others, which is then why the others fail."""


@torch.inference_mode(False)
def verify(
    path: str | Path | bytes | Artifact,
    model: Model | str | Path,
    inputs: Tensor | Array | Sequence[Tensor | Array] | Mapping[str, Tensor | Array],
    target: Callable[..., Tensor] | None = None,
    providers: Sequence[Provider] | None = None,
    trust: bool | None = None,
) -> Report:
    """Compares an artifact with the eager model it was compiled from, on given inputs.

    The model is evaluated eagerly, operator by operator, in float64; the artifact may be no further from that than
    three times what eager float32 is, or rounding errors in its weights do (medians over the inputs). ``compile`` holds
    what it made to the same.

    Args:
        path: The artifact: its file, its bytes, or what ``compile`` returned.
        model: The model that it was compiled from, or its file.
        inputs: What the *artifact* takes, in its order or by its names: raw images ``(N, H, W, C)`` if it was compiled
            with ``preprocess``, and a score's own inputs after the model's.
        target: The score that it was compiled with, if that was a function of your own: what is of
            ``fgcompile.scores`` its metadata say.
        providers: Where the artifact runs, as for ``fgcompile.load``.
        trust: As for ``fgcompile.load``.

    Raises:
        ArtifactError: The file is damaged or not an artifact.
        InputError: The inputs do not fit, or the artifact explains a function, and that was not given.
    """
    session = load(path, providers, trust=trust)
    metadata = session.metadata
    artifact = f"'{path}'" if isinstance(path, str | Path) else "the artifact"
    own_score = target is not None
    target = _score_of(metadata, target, artifact)
    names = [spec["name"] for spec in input_specs(metadata)]
    if isinstance(inputs, Mapping) and len(inputs) == len(names) == 1:
        names = list(inputs)  # the artifact's only input is called x, whatever the model calls it
    feeds = check_inputs(_arrays(_in_order(inputs, names)), metadata)
    outputs = session.run(_with_own(feeds, metadata))
    names_returned = [spec["name"] for spec in metadata["outputs"]]
    returned = dict.fromkeys(
        MODEL if name != LOGITS and is_predicted(name) else name.split(".")[0] for name in names_returned
    )
    request = replace(read_request(metadata, target), outputs=tuple(returned))
    feeds = {name: array if array.flags.writeable else array.copy() for name, array in feeds.items()}
    tensors = [torch.from_numpy(array) for array in feeds.values()]
    # The artifact takes raw images (N, H, W, C), the model was captured at (N, C, H, W); of examples only shapes and
    # dtypes matter. The score's own inputs come last, behind the model's.
    example = tensors[0] if request.preprocess is None else tensors[0].permute(0, 3, 1, 2).float()

    own = metadata.get("score_inputs", [])
    examples = [example, *tensors[1:]]
    request = replace(request, score_inputs=dict(zip(own, examples[len(examples) - len(own) :], strict=True)))

    count = len(examples) - len(own)
    with one_at_a_time():
        read = read_model(model, request, metadata["model"].get("fixed"))
        opened = open_model(read, by_name(read, names[:count], examples[:count]), request)
        request = replace(request, output=opened.output)
        alone = metadata.get("batch", {}).get("alone", False)
        require_model(opened.model)
        with _another_model(artifact, own_score):
            bound = replace(bind(opened.model, opened.inputs, request), alone=alone)
            captured, _ = capture_in(torch.float64, bound, request)
            exposed = expose(captured, request.layouts)

    def rounded(draw: int) -> BiasedProgram:
        with one_at_a_time():
            return expose(as_rounded(captured, request.precision, draw), request.layouts)

    chosen = verified_targets(metadata, batch_size(feeds, metadata))
    form = returned_as(metadata)
    known = {term.name for site in exposed.sites for term in site.terms}
    missing = {term for terms in form.sites.values() for term in terms} - known
    if missing:
        return Report((Check(f"another model: it has no bias '{min(missing)}'", float("inf"), 0.0),))
    given = [as_dtype(value, torch.float64) for value in tensors]
    exact, _ = expected_outputs(exposed, request, given, chosen, form)
    draws = draws_of(rounded, request, given, chosen, form)
    comparison = Comparison(outputs, exact, draws, request.precision, form.axes, form.questions)
    of_file = _on_file(opened.model, _model_inputs(feeds, names[:count], request), comparison)
    report = Report((*compare(comparison).checks, *of_file))
    if report.passed or parameter_digest(captured) == metadata["model"]["parameter_digest"]:
        return report
    return Report((Check(OTHER_WEIGHTS, float("inf"), 0.0), *report.checks))


@contextmanager
def _another_model(artifact: str, own_score: bool) -> Iterator[None]:
    """While it is open, a model that cannot be asked what the artifact was is told to be another.

    The options are the artifact's, so nobody can give them otherwise; but a score that was given may be what fails.
    """
    try:
        yield
    except (CaptureError, InputError, ScoreError) as error:
        if own_score and isinstance(error, ScoreError):
            raise
        said = str(error) if isinstance(error, CaptureError) else str(error).partition(": ")[0].partition("; ")[0]
        raise InputError(
            f"{artifact} was made from another model, or by another version, for of this one {said}: give the one that "
            "it was made from"
        ) from error


def _score_of(metadata: Metadata, given: Callable[..., Tensor] | None, artifact: str) -> Callable[..., Tensor] | None:
    """The score that an artifact explains: a function of the user's own is not in it, and has to be given again.

    Raises:
        InputError: It was not given, or is none; or the artifact explains no function.
        ArtifactError: The metadata name a score that there is not.
    """
    if metadata["target"] != "score":
        if given is not None:
            raise InputError(
                f"the score that {artifact} explains is no function, so the artifact says which: leave target out"
            )
        return None
    if given is not None and not callable(given):
        raise InputError(f"target is {given!r}: give the function that {artifact} was compiled with, target=score")
    if given is None and "scored" not in metadata:
        name = f", {metadata['score']}," if "score" in metadata else ""
        raise InputError(
            f"the score that {artifact} explains was a function{name} which an artifact does not hold: give it again, "
            "target=score"
        )
    score: Callable[..., Tensor] = class_of(_remade(metadata, artifact) if given is None else given, metadata["labels"])
    return score


def _remade(metadata: Metadata, artifact: str) -> Any:
    """The score of ``fgcompile.scores`` that the metadata name."""
    try:
        return SCORES[metadata["scored"]["name"]](**arguments_of(metadata))
    except (KeyError, TypeError, FgcompileError) as error:
        raise ArtifactError(
            f"{artifact} explains {metadata['scored']['name']}, and this version's takes other arguments ({error}): "
            "give the score again, target=score"
        ) from error


def _model_inputs(feeds: Mapping[str, Array], names: Sequence[str], request: Request) -> dict[str, Tensor]:
    """What the model takes, of what the artifact does."""
    values = dict(zip(names, map(torch.from_numpy, feeds.values()), strict=False))  # the score's own come last
    if request.preprocess is not None:
        mean, std = torch.tensor(request.preprocess.mean), torch.tensor(request.preprocess.std)
        raw = values[names[0]]
        images = ((raw.flip(3) if request.preprocess.order == "bgr" else raw) / 255 - mean) / std
        values[names[0]] = images.permute(0, 3, 1, 2).contiguous()
    return values


def _on_file(model: Model, feeds: Mapping[str, Tensor], comparison: Comparison) -> Iterator[Check]:
    """The artifact's logits beside those that ONNX Runtime computes with the file that it was compiled from.

    Of a quantised file it rounds numbers on the border of two levels otherwise than eager PyTorch, or than itself
    where it fuses operators: what that does to the model is the limit here too.
    """
    expected = on_file(model, feeds) if LOGITS in comparison.artifact else None
    if expected is None:
        return
    logits = np.asarray(comparison.artifact[LOGITS])
    apart = relative_difference(logits.ravel(), expected.ravel()) if logits.size == expected.size else float("inf")
    limit = comparison.limit(apart, lambda one, other: relative_difference(one[LOGITS], other[LOGITS]))
    if limit < apart < float("inf"):
        limit = max(limit, rounding_on_file(model, feeds))
    yield Check("logits, relative to ONNX Runtime on the file", apart, limit)


def _in_order(inputs: Any, names: Sequence[str]) -> Any:
    """What the artifact takes, in its order."""
    if not isinstance(inputs, Mapping):
        return inputs
    if set(inputs) != set(names):
        raise InputError(f"inputs are named {', '.join(map(repr, inputs))}: the artifact takes {', '.join(names)}")
    return [inputs[name] for name in names]


def _arrays(inputs: Any) -> tuple[Array, ...]:
    """The inputs as NumPy's, of whatever device; what is neither tensor nor array is left to the check of inputs."""
    single = isinstance(inputs, Tensor | np.ndarray) or not isinstance(inputs, Iterable)
    given: tuple[Any, ...] = (inputs,) if single else tuple(inputs)
    return tuple(
        value.numpy(force=True) if isinstance(value, Tensor) and value.dtype != torch.bfloat16 else value
        for value in given
    )


def _with_own(feeds: Mapping[str, np.ndarray[Any, Any]], metadata: Metadata) -> dict[str, np.ndarray[Any, Any]]:
    """The inputs with those that are not the model's."""
    own = dict(feeds)
    if metadata["target"] == "input":
        own["target"] = verified_targets(metadata, batch_size(feeds, metadata)).numpy()
    if metadata.get("on_demand"):
        own[EXPLAIN] = np.array(True)
    return own
