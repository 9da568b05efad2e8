"""No rule set changes the value of an operator, or what its terms add up to."""

from __future__ import annotations

import pytest
import torch

import fgcompile
from fgcompile.compiler.rules import RULE_SETS
from tests.compiler.biases.test_table import weighted_sum
from tests.support.networks import CaseModule
from tests.support.operator_cases import OPERATOR_CASES, OperatorCase


@pytest.mark.slow
@pytest.mark.parametrize("rules", [rules for rules in RULE_SETS if rules != "taylor"])
@pytest.mark.parametrize("case", OPERATOR_CASES, ids=[case.name for case in OPERATOR_CASES])
def test_every_operator_keeps_its_value_and_completeness(case: OperatorCase, rules: str) -> None:
    model, inputs = CaseModule(case).eval(), case.make_inputs(3)
    terms = fgcompile.full_gradient(model, inputs, target=weighted_sum, rules=rules)
    # Of float64 too, PyTorch's kernels quantise in single precision.
    tolerance = 1e-6 if case.name.startswith("fake_quantize") else 1e-12
    torch.testing.assert_close(terms.output, model(*inputs), rtol=tolerance, atol=tolerance)
    assert terms.relative_completeness_error.max() < 1e-12
