"""Activations', softmax's and normalisations' gradients equal autograd's."""

from __future__ import annotations

import pytest
import torch

from tests.compiler.lowering.exporting import assert_exports
from tests.compiler.lowering.tracing import assert_backward_matches, assert_lowered, trace_backward
from tests.support.operator_cases import ACTIVATIONS, OperatorCase
from tests.support.sweeps import few, first_of_each, quick

BY_NAME = {case.name: case for case in ACTIVATIONS}
PIECEWISE = ("relu", "relu6", "hardtanh", "leaky_relu", "prelu", "elu", "selu", "hardswish", "hardsigmoid", "threshold")
PIECEWISE += ("hardshrink", "softshrink")


@pytest.mark.parametrize("case", few(first_of_each(ACTIVATIONS), 10))
def test_lowered_backward_equals_autograd(case: OperatorCase) -> None:
    assert_lowered(case)


@pytest.mark.parametrize("name", PIECEWISE)
def test_kinks_and_large_values(name: str) -> None:
    knots = torch.tensor([0.0, -0.0, 6.0, 3.0, -3.0, 0.5, -0.5, 1.5, 1e4, -1e4], dtype=torch.float64)
    assert_backward_matches(BY_NAME[name], (knots.repeat(12).reshape(2, 3, 4, 5),))


@pytest.mark.parametrize("name", ["relu", "relu6"])
def test_masks_are_products(name: str) -> None:
    operators = {str(operator) for operator in trace_backward(BY_NAME[name]).operators}
    assert "aten.where.self" not in operators


@pytest.mark.parametrize("name", quick(["relu6", "hardswish", "layer_norm"], "layer_norm"))
def test_exports_to_onnx(name: str) -> None:
    assert_exports(BY_NAME[name])
