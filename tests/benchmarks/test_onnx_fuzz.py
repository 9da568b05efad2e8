"""The fuzzer of operators draws the same case again, finds what is read wrongly, and finds nothing in what is there."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.onnx_fuzz.cases import FAMILIES, case
from benchmarks.onnx_fuzz.check import check
from fgcompile.compiler.capture.onnx import graph
from fgcompile.compiler.capture.onnx.operators import OPERATORS

COUNT = sum(map(len, FAMILIES.values()))


def test_what_is_drawn_is_a_row_of_the_table_or_becomes_one() -> None:
    drawn = {operator for rows in FAMILIES.values() for operator in rows}
    assert drawn - OPERATORS.keys() <= {("", "Upsample"), ("", "Scatter")}  # older names of others
    assert len(drawn) > 150


def test_a_case_is_drawn_again_by_its_seed_and_number() -> None:
    for number in range(0, COUNT, 7):
        first, second = case(3, number), case(3, number)
        assert first.describe() == second.describe()
        assert all(np.array_equal(first.inputs[name], second.inputs[name], equal_nan=True) for name in first.inputs)


@pytest.mark.parametrize("family", FAMILIES)
def test_one_form_of_each_operator_is_right_or_refused(family: str) -> None:
    for number in range(COUNT):
        drawn = case(11, number)
        if drawn.family == family:
            result = check(drawn)
            assert result.outcome != "wrong", f"{drawn.describe()}: {result.why}"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20, 24))
def test_forms_of_operators_are_right_or_refused(seed: int) -> None:
    for number in range(10 * COUNT):
        drawn = case(seed, number)
        result = check(drawn)
        assert result.outcome != "wrong", f"{drawn.describe()}: {result.why}"


WRONG = {
    "a value": (lambda x: torch.tanh(x) * 1.01, "from ONNX Runtime"),
    "a shape": (lambda x: torch.tanh(x)[None], "in ONNX Runtime"),
    "a gradient": (lambda x: torch.tanh(x).detach() + 0 * x, "differences give"),
    "a traceback": (lambda x: torch.tanh(x).no_such_thing, "AttributeError"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_read_wrongly_is_found(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    compute, found = WRONG[kind]

    def wrongly(x: torch.Tensor) -> Any:
        return compute(x)  # type: ignore[no-untyped-call]  # a lambda of the table above

    row = replace(OPERATORS["", "Tanh"], compute=wrongly)
    monkeypatch.setattr(graph, "OPERATORS", {**OPERATORS, ("", "Tanh"): row})
    result = check(case(0, 0, ["Tanh"]))
    assert result.outcome == "wrong"
    assert found in result.why
