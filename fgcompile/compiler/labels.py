"""The classes' names: whether they are as many as the classes, whose they are, and what a score of them is called."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from fgcompile.artifact.characters import unfit_character
from fgcompile.artifact.scores import score_in_words
from fgcompile.artifact.wishes import class_of
from fgcompile.compiler.ir.model_output import explained, main_output
from fgcompile.compiler.ir.programs import CapturedProgram
from fgcompile.compiler.ir.samples import returned
from fgcompile.compiler.request import Request
from fgcompile.errors import CaptureWarning, InputError

_LONGEST_NAME = 200


@dataclasses.dataclass(frozen=True)
class OwnLabels:
    """What a source says of its classes.

    Attributes:
        names: The names, where they can be read.
        origin: Who says so, for a warning if they do not fit; None where whoever calls tells that.
        problem: Why there are none, though something is there.
    """

    names: tuple[str, ...] | None = None
    origin: str | None = None
    problem: str | None = None


def with_own_labels(captured: CapturedProgram, request: Request, own: OwnLabels) -> Request:
    """The request with a source's own labels, where none were given and these are one for each class.

    The target is then the class that its name stands for.

    Raises:
        InputError: It is the name of no class, or of several, or the names are not those of the model's classes.
    """
    sizes, names = _classes(captured, request), own.names
    if names is not None and request.labels is None and len(names) in sizes:
        return dataclasses.replace(request, labels=names)  # which finds the target among them
    try:
        return dataclasses.replace(request, target=class_of(request.target, request.labels))
    except InputError as error:
        if names is None or request.labels is not None or not sizes:
            raise
        told = f"target {request.target!r}: {_unfit(own, sizes)}: give labels of as many, or the class's number"
        raise InputError(told) from error


def require_labels(captured: CapturedProgram, request: Request) -> None:
    """Refuses labels that are not one for each class, as soon as the classes are known.

    Raises:
        InputError: They are fewer or more.
    """
    if request.labels is not None:
        require_count(request.labels, _classes(captured, request))


def require_count(labels: Sequence[str], sizes: Sequence[Any]) -> None:
    """As ``require_labels``, given the sizes of the axes, one of which is the classes'; with none nothing is known."""
    if not sizes or len(labels) in sizes:
        return
    if len(sizes) == 1:
        if sizes[0] == 1:
            raise InputError(f"there are {len(labels)} labels for the one logit: give one, of what it is for, or none")
        raise InputError(f"there are {len(labels)} labels for {sizes[0]} classes: give one per class, in order")
    shape = f"(N, {', '.join(map(str, sizes))})"
    raise InputError(
        f"there are {len(labels)} labels, and no axis of the output {shape} is as long: {_ways(len(labels), sizes)}"
    )


def _ways(count: int, sizes: Sequence[Any]) -> str:
    """What to do about labels of an output of several axes: a detector's has its boxes beside the classes."""
    heads = {(0, 4): "yolov8", (1, 5): "yolov5"}
    found = [
        (axis, size - count) for axis, size in enumerate(sizes) if isinstance(size, int) and size - count in (4, 5)
    ]
    if len(sizes) != 2 or not found:
        return "give one per class"
    made = heads.get(found[0], "yolov8")
    score = f"Box.{made}" if found[0] in heads else "Box"
    return (
        f"of a detector's head, whose boxes are beside the classes, give a score, target={score}(), of "
        "fgcompile.scores, or explain its class logits alone, output="
    )


def warn_of_labels(captured: CapturedProgram, request: Request, own: OwnLabels, stacklevel: int) -> None:
    """Warns of names that a source has and that were left out: they cannot be read, or are not one for each class.

    Args:
        captured: The model.
        request: Whose labels are None where the source's did not serve, and none were given.
        own: The source's.
        stacklevel: Whose line the warning names, counted from the caller as in ``warnings.warn``.
    """
    if request.labels is not None:
        return
    told, sizes = own.problem, _classes(captured, request)
    of_classes = request.score is None or hasattr(request.score, "count_classes")
    if own.names is not None and own.origin is not None and sizes and of_classes:
        told = _unfit(own, sizes)
    if told is not None:
        warnings.warn(
            f"{told}: classes are called by their numbers; to name them give labels, a name for each class in order",
            CaptureWarning,
            stacklevel=stacklevel + 1,
        )


def _unfit(own: OwnLabels, sizes: Sequence[Any]) -> str:
    known = [str(size) if isinstance(size, int) else "…" for size in sizes]
    shape = known[0] if len(sizes) == 1 else f"an output (N, {', '.join(known)})"
    return f"{own.origin or 'the source'} names {len(own.names or ())} classes, and the model has {shape}"


def _classes(captured: CapturedProgram, request: Request) -> list[Any]:
    """The sizes of the logits' axes behind the batch, one of them the classes'; of a score that says so, theirs."""
    structure: Any = returned(captured)
    if captured.scored:
        structure, _ = structure
    logits = (main_output if captured.scored else explained)(structure, request.output)
    count = getattr(request.score, "count_classes", None)
    if count is not None and isinstance(logits, Tensor):
        known = count(logits)
        return [known] if isinstance(known, int) else []
    several = isinstance(logits, Tensor) and logits.ndim > 2 and not captured.scored
    return list(logits.shape[1:]) if several or (isinstance(logits, Tensor) and logits.ndim == 2) else []


def fitting_labels(captured: CapturedProgram, request: Request) -> Sequence[str] | None:
    """The labels, where they are known to be those of what a score has for classes."""
    labels = request.labels
    return labels if labels is not None and len(labels) in _classes(captured, request) else None


def describe_score(explained: Callable[..., Tensor] | None, labels: Sequence[str] | None = None) -> dict[str, Any]:
    """What a function is called that is explained: ``margin``, ``cherry − apple``; not of a lambda.

    Of one of ``fgcompile.scores`` also what makes it again.
    """
    score = explained
    while isinstance(score, functools.partial):
        score = score.func
    if score is None:
        return {}
    name = getattr(score, "__name__", type(score).__name__)
    if not dataclasses.is_dataclass(score) or isinstance(score, type):
        return {"score": name} if _fits(name) and name != "<lambda>" else {}
    given = {each.name: (getattr(score, each.name, None), each.default) for each in dataclasses.fields(score)}
    plain = all(_is_plain(value) or value is None for value, _ in given.values())
    changed = {key: value for key, (value, default) in given.items() if value != default}
    classes = [key for key in getattr(score, "CLASSES", ()) if _is_class(*given[key])]
    named = {} if labels is None else {key: given[key][0] for key in classes}
    shown = {key: value for key, value in (changed | named).items() if _is_plain(value)}
    ordered = {key: shown[key] for key in given if key in shown}
    texts = (score_in_words(name, ordered, classes, labels), score_in_words(name, ordered))
    text = {"score": next(filter(_fits, texts))} if any(map(_fits, texts)) else {}
    again = plain and score is explained and type(score).__module__.startswith("fgcompile.scores.")
    return text | ({"scored": {"name": name, "arguments": _as_json(changed)}} if again else {})


def _as_json(arguments: dict[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in arguments.items()}


def _is_class(value: Any, default: Any) -> bool:
    """Whether an argument is the number of one class: what is below 0 by default stands for the likeliest."""
    number = value[0] if isinstance(value, tuple) and len(value) == 1 else value
    return type(number) is int and (number >= 0 or value != default)


def _fits(name: str) -> bool:
    return len(name) <= _LONGEST_NAME and unfit_character(name) is None


def _is_plain(value: object) -> bool:
    """Whether an argument of a score is written the same every time."""
    return all(map(_is_plain, value)) if type(value) is tuple else type(value) in (bool, int, float, str)
