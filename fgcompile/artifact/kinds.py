"""The kinds of values that metadata have: a function each, which passes a value or says what it would have to be.

A check is a function of a value and of where it stands, such as ``inputs[0].shape``, for the message.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from fgcompile.artifact.characters import unfit_character

Check = Callable[[Any, str], None]


class MalformedError(ValueError):
    """A value is not of its kind; the message says where it stands, and what it would have to be."""


def text(most: int, least: int = 1) -> Check:
    """A text of ``least`` to ``most`` characters, none of which ends a line or controls a terminal."""

    def check(value: Any, where: str) -> None:
        if not isinstance(value, str) or not least <= len(value) <= most:
            raise MalformedError(f"{where} is no text of {least} to {most} characters")
        if (character := unfit_character(value)) is not None:
            raise MalformedError(f"{where} has the control character {character}")

    return check


def whole(low: int, high: int) -> Check:
    """An integer from ``low`` to ``high``; a boolean is none."""

    def check(value: Any, where: str) -> None:
        if type(value) is not int or not low <= value <= high:
            raise MalformedError(f"{where} is no integer from {low} to {high}")

    return check


def number(low: float, high: float) -> Check:
    """A finite number from ``low`` to ``high``."""

    def check(value: Any, where: str) -> None:
        if type(value) not in (int, float) or not low <= value <= high or not math.isfinite(value):
            raise MalformedError(f"{where} is no number from {low:g} to {high:g}")

    return check


def flag(value: Any, where: str) -> None:
    """True or false."""
    if not isinstance(value, bool):
        raise MalformedError(f"{where} is neither true nor false")


def one_of(*allowed: str) -> Check:
    """One of some texts."""

    def check(value: Any, where: str) -> None:
        if not isinstance(value, str) or value not in allowed:
            raise MalformedError(f"{where} is none of {', '.join(allowed)}")

    return check


def optional(kind: Check) -> Check:
    """Null, or a value of the kind."""

    def check(value: Any, where: str) -> None:
        if value is not None:
            kind(value, where)

    return check


def by_type(**kinds: Check) -> Check:
    """A value of one of several kinds, by its type's name in Python: ``by_type(int=…, str=…)``."""

    def check(value: Any, where: str) -> None:
        kind = kinds.get(type(value).__name__)
        if kind is None:
            raise MalformedError(f"{where} is neither {' nor '.join(kinds)}")
        kind(value, where)

    return check


def sequence(kind: Check, most: int, least: int = 0) -> Check:
    """A list of ``least`` to ``most`` values of a kind."""

    def check(value: Any, where: str) -> None:
        if not isinstance(value, list) or not least <= len(value) <= most:
            raise MalformedError(f"{where} is no list of {least} to {most}")
        for index, element in enumerate(value):
            kind(element, f"{where}[{index}]")

    return check


def mapping(name: Check, kind: Check, most: int) -> Check:
    """An object of at most ``most`` entries, whose names and values are of a kind each."""

    def check(value: Any, where: str) -> None:
        if not isinstance(value, dict) or len(value) > most:
            raise MalformedError(f"{where} is no object of at most {most}")
        for key, element in value.items():
            name(key, f"a name in {where}")
            kind(element, f"{where}.{key}")

    return check


def record(required: Mapping[str, Check], options: Mapping[str, Check] | None = None) -> Check:
    """An object with fields of a kind each. Others are left alone: a later version of the schema may have them."""
    kinds = {**required, **(options or {})}

    def check(value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise MalformedError(f"{where} is no object")
        if missing := sorted(required.keys() - value.keys()):
            raise MalformedError(f"{where} lacks {', '.join(missing)}")
        for key, element in value.items():
            if key in kinds:
                kinds[key](element, f"{where}.{key}" if where else key)

    return check
