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


def few(cases: Iterable[Any], count: int) -> list[Any]:
    """So many of the cases, evenly spread, run each time, and the others among the slow tests.

    A plain tuple is several arguments; what is a parameter of pytest's keeps its marks, and is slow already or counts.

    Raises:
        ValueError: There are no more than that.
    """
    parameters = [_as_parameter(case) for case in cases]
    quick = [number for number, each in enumerate(parameters) if pytest.mark.slow not in each.marks]
    if count >= len(quick):
        raise ValueError(f"{count} of {len(quick)} are all")
    chosen = {quick[number * len(quick) // count] for number in range(count)}
    return [
        each if number in chosen else pytest.param(*each.values, id=each.id, marks=(pytest.mark.slow,))
        for number, each in enumerate(parameters)
    ]


_Parameter: Any = type(pytest.param())


def _as_parameter(case: Any) -> Any:
    if isinstance(case, _Parameter):
        # One mark alone may stand for a collection of them.
        return pytest.param(*case.values, id=case.id, marks=tuple(case.marks))
    return pytest.param(*(case if type(case) is tuple else (case,)))
