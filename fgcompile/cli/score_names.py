"""Scores on the command line: ``Region:15,rows=0/40`` is one of ``fgcompile.scores``, which needs torch.

What each takes stands here by name, so that a mistake is told before torch is imported.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fgcompile.artifact.names import WHOLE_NUMBER
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
    "Box.yolov5": (*_ELEMENT, "probabilities="),
    "Box.yolov8": (*_ELEMENT, "probabilities="),
    "Box.detr": _ELEMENT,
    "Box.retinanet": _ELEMENT,
}
"""The scores, and the parameters of each in order; those with ``=`` may be left out."""


_NONE = "none"

CLASSES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("Contrast", "LogOdds", "Value", "Region"), ("index",)),
    **dict.fromkeys(("Box", "Box.yolov5", "Box.yolov8", "Box.detr", "Box.retinanet"), ("index",)),
    "Difference": ("a", "b"),
    "Token": ("token",),
}
"""Which of them are classes, that may be given by their names."""


@dataclass(frozen=True)
class NamedScore:
    """What makes one of ``SCORES``, once torch may be imported.

    Attributes:
        name: Its own.
        values: Arguments by position.
        keywords: Arguments by name.
    """

    name: str
    values: Sequence[Any]
    keywords: Mapping[str, Any]

    def __call__(self) -> Any:
        from fgcompile import scores

        return operator.attrgetter(self.name)(scores)(*self.values, **self.keywords)

    def require_classes(self, labels: Sequence[str]) -> None:
        """Refuses classes by names that no label has, before torch is imported.

        Raises:
            InputError: Says which, and what may have been meant.
        """
        from fgcompile.artifact.wishes import class_of

        for parameter, value in self._classes().items():
            if isinstance(value, str):
                class_of(value, labels, f"{self.name}: {parameter}")

    def require_no_class(self, labels: Sequence[str]) -> None:
        """Refuses ``none`` where a class is called so: who wrote it may have meant either.

        Raises:
            InputError: Says how to write each.
        """
        folded = [label.casefold() for label in labels]
        for parameter, value in self._classes().items():
            if value is None and _NONE in folded:
                number = folded.index(_NONE)
                raise InputError(
                    f"--target {self.name}: {parameter} is {_NONE}, and class {number} is called so too: give "
                    f"{parameter}={number} for the class, or leave it out"
                )

    def _classes(self) -> dict[str, Any]:
        """The arguments that are classes, of those that are given."""
        given = dict(zip(_parameters(self.name), self.values, strict=False)) | dict(self.keywords)
        return {parameter: given[parameter] for parameter in CLASSES.get(self.name, ()) if parameter in given}


def read_score(name: str, text: str) -> NamedScore:
    """One of ``SCORES``: its arguments by position or as ``keyword=value``, ``Box.yolov8`` its own ways.

    A class is a number, or a name as labels have it. ``;`` in place of each comma separates names that have commas.

    Raises:
        InputError: It takes others.
    """
    values: list[Any] = []
    keywords: dict[str, Any] = {}
    parameters = _parameters(name)
    for part in text.split(";" if ";" in text else ",") if text else []:
        keyword, separator, value = part.partition("=")
        try:
            if separator:
                if keyword.strip() in keywords:
                    raise ValueError(f"{keyword.strip()} is given twice")
                keywords[keyword.strip()] = _parse(name, keyword.strip(), value)
            else:
                values.append(_parse(name, "".join(parameters[len(values) : len(values) + 1]), part))
        except ValueError as error:
            raise InputError(f"--target {name}:{text}: {error}{_advice(text, values)}") from None
    _require_fitting(name, text, values, keywords)
    return NamedScore(name, values, keywords)


def _parameters(name: str) -> list[str]:
    return [each.rstrip("=") for each in SCORES[name]]


def _require_fitting(name: str, text: str, values: Sequence[Any], keywords: Mapping[str, Any]) -> None:
    parameters, count = _parameters(name), len(values)
    needed = {each for each in SCORES[name] if not each.endswith("=")}
    filled = parameters[:count]
    fits = count <= len(parameters) and keywords.keys() <= set(parameters[count:])
    if fits and needed <= {*filled, *keywords}:
        return
    takes = ", ".join(f"{each}…" if each.endswith("=") else each for each in SCORES[name]) or "nothing"
    given = f"{name}:{text}" if text else name
    raise InputError(f"--target {given}: {name} takes {takes}{_advice(text, values)}")


def _advice(text: str, values: Sequence[Any]) -> str:
    """What else is said of a comma too many: it may be one of a class's name."""
    named = any(isinstance(value, str) for value in values)
    return "; where a class's name has a comma, separate all by ';'" if named and ";" not in text else ""


def _parse(name: str, parameter: str, value: str) -> Any:
    """A class, by number or name; of any other argument, and of several indices, ``_parse_value``.

    Raises:
        ValueError: It is none.
    """
    stripped = value.strip()
    if parameter not in CLASSES.get(name, ()) or not stripped:
        return _parse_value(value)
    if stripped.lower() == _NONE and f"{parameter}=" in SCORES[name]:
        return None
    if "/" in stripped and all(map(WHOLE_NUMBER.fullmatch, stripped.split("/"))):
        return _parse_value(value)
    return int(stripped) if WHOLE_NUMBER.fullmatch(stripped) else stripped


def _parse_value(value: str) -> Any:
    """A number, ``none``, ``true`` or ``false``, or numbers with ``/`` between them."""
    words = {"none": None, "true": True, "false": False}
    stripped = value.strip().lower()
    if stripped in words:
        return words[stripped]
    try:
        numbers = tuple(float(part) if "." in part or "e" in part else int(part) for part in stripped.split("/"))
    except ValueError:
        raise ValueError(f"'{value}' is no number, none, true or false") from None
    return numbers[0] if len(numbers) == 1 else numbers
