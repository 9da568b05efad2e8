"""Scores on the command line: ``Region:15,rows=0/40`` is one of ``fgcompile.scores``, which needs torch.

What each takes stands here by name, so that a mistake is told before torch is imported.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from fgcompile.errors import InputError

_ELEMENT = ("index=", "candidate=")

SCORES: Mapping[str, tuple[str, ...]] = {
    "Difference": ("a", "b"),
    "Contrast": ("index=",),
    "LogOdds": ("index", "epsilon="),
    "Value": ("index=",),
    "Region": ("index", "rows=", "columns=", "mask="),
    "Token": ("position=", "token="),
    "Continuation": ("length",),
    "Similarity": (),
    "Box": (*_ELEMENT, "axis=", "first=", "objectness=", "background=", "probabilities="),
    "Box.yolov5": _ELEMENT,
    "Box.yolov8": (*_ELEMENT, "probabilities="),
    "Box.detr": _ELEMENT,
    "Box.retinanet": _ELEMENT,
}
"""The scores, and the parameters of each in order; those with ``=`` may be left out."""


def read_score(name: str, text: str) -> Callable[[], Any]:
    """What makes one of ``SCORES``: its arguments by position or as ``keyword=value``, ``Box.yolov8`` its own ways.

    Raises:
        InputError: It takes others.
    """
    values: list[Any] = []
    keywords: dict[str, Any] = {}
    for part in text.split(",") if text else []:
        keyword, separator, value = part.rpartition("=")
        if separator:
            keywords[keyword.strip()] = _parse_value(name, text, value)
        else:
            values.append(_parse_value(name, text, part))
    _require_fitting(name, text, len(values), keywords)

    def make() -> Any:
        from fgcompile import scores

        return operator.attrgetter(name)(scores)(*values, **keywords)

    return make


def _require_fitting(name: str, text: str, count: int, keywords: Mapping[str, Any]) -> None:
    parameters = [each.rstrip("=") for each in SCORES[name]]
    needed = {each for each in SCORES[name] if not each.endswith("=")}
    filled = parameters[:count]
    fits = count <= len(parameters) and keywords.keys() <= set(parameters[count:])
    if fits and needed <= {*filled, *keywords}:
        return
    takes = ", ".join(f"{each}…" if each.endswith("=") else each for each in SCORES[name]) or "nothing"
    given = f"{name}:{text}" if text else name
    raise InputError(f"--target {given}: {name} takes {takes}")


def _parse_value(name: str, text: str, value: str) -> Any:
    """A number, ``none``, ``true`` or ``false``, or numbers with ``/`` between them."""
    words = {"none": None, "true": True, "false": False}
    stripped = value.strip().lower()
    if stripped in words:
        return words[stripped]
    try:
        numbers = tuple(float(part) if "." in part or "e" in part else int(part) for part in stripped.split("/"))
    except ValueError:
        raise InputError(f"--target {name}:{text}: '{value}' is no number, none, true or false") from None
    return numbers[0] if len(numbers) == 1 else numbers
