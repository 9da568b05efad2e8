"""A score in words, with the names of its classes, and its value where the logits say it; nothing here needs torch."""

from __future__ import annotations

import string
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fgcompile.artifact.candidates import explained_candidate, value_of_box
from fgcompile.artifact.elements import class_name
from fgcompile.artifact.metadata import Metadata
from fgcompile.errors import ArtifactError

SCORE = "score"
"""What a function is called that has no name of its own."""

_FORMS = {"Difference": "{a} − {b}", "Contrast": "{index} − next best", "LogOdds": "log-odds of {index}"}
"""Scores that are read as a sum or a word; all others as what makes them, ``Region(index=road, rows=(0, 40))``."""

_HEADS = {
    "Box.yolov8": {"axis": "2", "first": "4", "probabilities": "True"},
    "Box.yolov5": {"first": "5", "objectness": "4", "probabilities": "True"},
    "Box.detr": {"background": "True"},
}
"""Layouts of a detector's head by what makes them, as ``repr`` writes the arguments that are not the default."""

_PREDICTED = "predicted"


def score_in_words(
    name: str, arguments: Mapping[str, Any], classes: Collection[str] = (), labels: Sequence[str] | None = None
) -> str:
    """What a score is called: ``cherry − apple``, ``class 2 − class 0`` without labels.

    Args:
        name: Its function's or class's.
        arguments: Those that are not the default.
        classes: Which of them are numbers of classes.
        labels: The classes' names.
    """
    form = _FORMS.get(name, "")
    fields = [field for _, field, _, _ in string.Formatter().parse(form) if field]
    if form and arguments.keys() <= set(fields):
        said = {field: arguments.get(field) for field in fields}
        return form.format(**{key: _PREDICTED if k is None else _class(k, labels) for key, k in said.items()})
    named = {
        key: _class(value, labels) if labels is not None and key in classes else repr(value)
        for key, value in arguments.items()
    }
    if name == "Box" and (made := _box_in_words(named)):
        return made
    return f"{name}({', '.join(f'{key}={value}' for key, value in named.items())})"


def _box_in_words(named: Mapping[str, str]) -> str | None:
    """A detector's box as it is asked for, ``Box.yolov8:cat,candidate=3``; None for a head of another layout."""
    layout = {key: value for key, value in named.items() if key not in ("index", "candidate")}
    if layout not in _HEADS.values():
        return None
    head = next(head for head, own in _HEADS.items() if own == layout)
    fixed = named.get("candidate", "None") != "None"  # else a call says which
    candidate = [f"candidate={named['candidate']}"] if fixed else []
    said = ",".join([*([named["index"]] if "index" in named else []), *candidate])
    return f"{head}{':' if said else ''}{said}"


def _class(index: Any, labels: Sequence[str] | None) -> str:
    """A class that a score is of: its number may count from the end, or be a tuple of one."""
    number = index[0] if isinstance(index, tuple) and len(index) == 1 else index
    return class_name(number if labels is None else number % len(labels), labels)


def score_name(metadata: Metadata, numbered: bool = False) -> str:
    """What the artifact's score is called; ``numbered`` leaves labels out, for what cannot write them."""
    if numbered and "scored" in metadata:
        return score_in_words(metadata["scored"]["name"], arguments_of(metadata))
    return metadata.get("score", SCORE)


def arguments_of(metadata: Metadata) -> dict[str, Any]:
    """The arguments of a score of ``fgcompile.scores`` that are not the default; lists of JSON are tuples of Python."""
    given = metadata["scored"]["arguments"]
    return {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}


def score_of_logits(logits: NDArray[Any] | None, metadata: Metadata) -> float | None:
    """The score of one sample, where it is one of ``fgcompile.scores`` that the logits alone make.

    Args:
        logits: The sample's, ``(d_1, …, d_r)``; None where the artifact does not return them.
        metadata: The artifact's.

    Raises:
        ArtifactError: The metadata have arguments that no such score of these logits has.
    """
    make = _VALUES.get(metadata["scored"]["name"]) if "scored" in metadata else None
    if make is None or logits is None:
        return None
    value: float = _made(lambda *given, **arguments: float(make(*given, **arguments)), logits, metadata)
    return value if np.isfinite(value) else None


def candidate_of_logits(logits: NDArray[Any] | None, metadata: Metadata) -> int | None:
    """The number of the candidate that a detector's score is of; None where the logits of a sample do not say it.

    Raises:
        ArtifactError: As ``score_of_logits``.
    """
    if logits is None or metadata.get("scored", {}).get("name") != "Box":
        return None
    found: int | None = _made(explained_candidate, logits, metadata)
    return found


def _made(make: Callable[..., Any], logits: NDArray[Any], metadata: Metadata) -> Any:
    try:
        return make(logits.astype(np.float64), **arguments_of(metadata))
    except (TypeError, ValueError, IndexError) as error:
        raise ArtifactError(f"the artifact's score does not fit its logits ({error}): compile it again") from error


def _difference(y: NDArray[Any], a: int, b: int) -> Any:
    return y[a] - y[b]


def _contrast(y: NDArray[Any], index: int | None = None) -> Any:
    chosen = int(y.argmax()) if index is None else index % len(y)
    return y[chosen] - np.delete(y, chosen).max()


def _log_odds(p: NDArray[Any], index: int, epsilon: float = 1e-6) -> Any:
    held = np.clip(p[index], epsilon, 1 - epsilon)
    return np.log(held) - np.log1p(-held)


def _value(y: NDArray[Any], index: int | tuple[int, ...] = 0) -> Any:
    return y[index] if isinstance(index, tuple) else y.ravel()[index]


def _region(y: NDArray[Any], index: int, rows: Any = None, columns: Any = None, mask: bool = False) -> Any:
    down, across = (slice(None) if each is None else slice(*each) for each in (rows, columns))
    return np.nan if mask else y[index, down, across].mean()


def _token(y: NDArray[Any], position: int | None = -1, token: int | None = -1) -> Any:
    if position is None or token is None:
        return np.nan  # which a call says
    there = y[position]
    logarithms = there - there.max() - np.log(np.exp(there - there.max()).sum())
    return logarithms.max() if token == -1 else logarithms[token]


_VALUES: Mapping[str, Callable[..., Any]] = {
    "Difference": _difference,
    "Contrast": _contrast,
    "LogOdds": _log_odds,
    "Value": _value,
    "Region": _region,
    "Token": _token,
    "Box": value_of_box,
}
