"""Every lowering is exercised by the one table of operator cases."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from fgcompile.compiler import lowering
from fgcompile.compiler.ir.own_backward import OWN_BACKWARD
from fgcompile.compiler.lowering import decomposition_table
from tests.compiler.lowering.exporting import assert_exports
from tests.compiler.lowering.tracing import trace_backward
from tests.support.operator_cases import OPERATOR_CASES, OperatorCase

OTHERWISE = frozenset({torch.ops.aten.zeros_like.default, OWN_BACKWARD})
"""What the formulas of biases call, and what capturing puts in place of an ``autograd.Function``."""

FLOATING = [case for case in OPERATOR_CASES if not any(case.integers)]
"""Cases whose inputs all have a gradient."""


@pytest.mark.slow
def test_every_lowering_has_a_case() -> None:
    missing = set(decomposition_table()) - OTHERWISE
    for case in FLOATING:
        if missing:  # tracing takes its time, and most lowerings are reached early
            missing -= trace_backward(case).lowered
    assert [str(operator) for operator in missing] == []


def test_case_names_are_unique() -> None:
    assert [name for name, times in Counter(case.name for case in OPERATOR_CASES).items() if times > 1] == []


def test_an_operator_is_lowered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lowering, "FAMILIES", (lowering.pooling, lowering.pooling))
    with pytest.raises(ValueError, match="two rows in the table of lowerings"):
        decomposition_table()


@pytest.mark.slow
@pytest.mark.parametrize("case", FLOATING, ids=lambda case: case.name)
def test_every_case_exports_to_onnx(case: OperatorCase) -> None:
    assert_exports(case, tolerance=5e-5)  # some unroll many steps, whose rounding adds up
