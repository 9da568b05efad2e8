"""Operators of ONNX files compute what the ONNX project's own cases say, but for a table of what is left out."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from onnx import defs

from benchmarks.onnx_cases.cases import cases, run
from benchmarks.onnx_cases.left_out import LEFT_OUT, LOOSER, reason
from fgcompile.compiler.capture.onnx.operators import OPERATORS
from tests.support.sweeps import few

NAMES = [".".join(filter(None, operator)) for operator in OPERATORS]


@pytest.mark.parametrize("operator", few(map(pytest.param, OPERATORS), 110), ids=NAMES)
def test_cases_pass_or_are_left_out(operator: tuple[str, str]) -> None:
    for case in cases().get(operator, ()):
        outcome = run(case)
        if outcome.for_another:
            continue
        if reason(case.name):
            assert outcome.failure, f"{case.name} passes: it need not be left out"
        else:
            assert not outcome.failure, f"{case.name}: {outcome.failure}"


@pytest.mark.skipif(defs.onnx_opset_version() < 28, reason="older versions of onnx have fewer cases")
@pytest.mark.parametrize("pattern", [*LEFT_OUT, *LOOSER])
def test_no_pattern_is_stale(pattern: str) -> None:
    names = [case.name for found in cases().values() for case in found]
    assert any(fnmatchcase(name, pattern) for name in names)
