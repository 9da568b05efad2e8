"""Which parts of a wide sweep run each time, and which with the slow tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def crossed(rows: Iterable[Any], columns: Iterable[Any]) -> list[Any]:
    """All pairs; each row runs each time with one column, taken in turn, and with the others among the slow tests."""
    columns = list(columns)
    return [
        pytest.param(row, column, marks=() if (number - place) % len(columns) == 0 else pytest.mark.slow)
        for number, row in enumerate(rows)
        for place, column in enumerate(columns)
    ]


def first_of_each(cases: Iterable[Any]) -> list[Any]:
    """Cases with names; the first of each operator, by the first word of its name, runs each time."""
    parameters, seen = [], set()
    for case in cases:
        word = case.name.replace(",", " ").split()[0]
        parameters.append(pytest.param(case, id=case.name, marks=pytest.mark.slow if word in seen else ()))
        seen.add(word)
    return parameters


def quick(names: Iterable[str], *chosen: str) -> list[Any]:
    """Names of cases; those chosen run each time, the others among the slow tests.

    Raises:
        ValueError: One that is chosen is none of them.
    """
    names = list(names)
    if unknown := set(chosen) - set(names):
        raise ValueError(f"no such cases: {sorted(unknown)}")
    return [pytest.param(name, marks=() if name in chosen else pytest.mark.slow) for name in names]


def few(values: Iterable[Any], count: int) -> list[Any]:
    """So many of the values, evenly spread, run each time, and the others among the slow tests.

    A tuple is several arguments.

    Raises:
        ValueError: There are no more than that.
    """
    values = list(values)
    if count >= len(values):
        raise ValueError(f"{count} of {len(values)} are all")
    chosen = {number * len(values) // count for number in range(count)}
    arguments = [value if isinstance(value, tuple) else (value,) for value in values]
    marks = [() if number in chosen else pytest.mark.slow for number in range(len(values))]
    return [pytest.param(*each, marks=mark) for each, mark in zip(arguments, marks, strict=True)]
