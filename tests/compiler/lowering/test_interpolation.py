"""Interpolation's input-gradient equals autograd's, and its forward stays one operator while tracing."""

from __future__ import annotations

import pytest

from tests.compiler.lowering.exporting import assert_exports
from tests.compiler.lowering.tracing import assert_lowered
from tests.support.operator_cases import INTERPOLATIONS, OperatorCase
from tests.support.sweeps import few

BY_NAME = {case.name: case for case in INTERPOLATIONS}


@pytest.mark.parametrize("case", few(INTERPOLATIONS, 5), ids=lambda case: case.name)
def test_lowered_backward_equals_autograd(case: OperatorCase) -> None:
    assert_lowered(case)


@pytest.mark.parametrize(
    "name",
    [
        "interpolate nearest-exact 4×5 to (7, 3)",
        "interpolate bilinear 4×5 to , scale_factor 1.7",
    ],
)
def test_exports_to_onnx(name: str) -> None:
    assert_exports(BY_NAME[name])
