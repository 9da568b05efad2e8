"""The bias table: every row has a case, and on every case the terms add up to the score exactly."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import fgcompile
from fgcompile.compiler.biases import FALLBACK, bias_table
from fgcompile.compiler.biases.rule import Implicit
from fgcompile.compiler.capture.capture import capture
from fgcompile.errors import UnsupportedOpError
from tests.support.networks import CaseModule
from tests.support.operator_cases import OPERATOR_CASES, OperatorCase
from tests.support.sweeps import few, first_of_each

IDS = [case.name for case in OPERATOR_CASES]
BY_NAME = {case.name: case for case in OPERATOR_CASES}

WITHOUT_SECOND_DERIVATIVE = (torch.ops.aten.hardsigmoid.default,)
"""Operators to which the fallback does not apply: inside a case, their own rule stays."""


def weighted_sum(output: Tensor) -> Tensor:
    """A score that weighs every element of the output differently."""
    weights = torch.linspace(0.5, 1.5, output[0].numel(), dtype=output.dtype).reshape(output.shape[1:])
    return (output * weights).reshape(output.shape[0], -1).sum(1)


@pytest.mark.parametrize("case", few(first_of_each(OPERATOR_CASES), 28))
def test_terms_add_up_to_the_score(case: OperatorCase) -> None:
    terms = fgcompile.full_gradient(CaseModule(case).eval(), case.make_inputs(3), target=weighted_sum)
    assert terms.relative_completeness_error.max() < 1e-12


@pytest.mark.slow
@pytest.mark.parametrize("case", OPERATOR_CASES, ids=IDS)
def test_biases_equal_those_of_the_general_fallback(case: OperatorCase, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each closed form against ``y − J a`` by two VJPs, which needs no knowledge of the operator."""
    if case.name == "hardsigmoid":
        pytest.skip("needs a second derivative of it, which PyTorch lacks, for the fallback to apply")
    model, inputs = CaseModule(case).eval(), case.make_inputs(2)
    sums = _bias_sums(model, inputs)
    without = {operator: rule for operator, rule in bias_table().items() if operator in WITHOUT_SECOND_DERIVATIVE}
    monkeypatch.setattr("fgcompile.compiler.expose.expose.bias_table", lambda: without)
    torch.testing.assert_close(sums, _bias_sums(model, inputs), rtol=1e-9, atol=1e-9)


def _bias_sums(model: torch.nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
    terms = fgcompile.full_gradient(model, inputs, target=weighted_sum)
    total = torch.zeros(len(inputs[0]), dtype=torch.float64)
    for value in terms.bias_gradients.values():
        total += value.reshape(len(total), -1).sum(1) if value.shape[0] == len(total) else value.sum()
    return total


@pytest.mark.slow
def test_every_row_has_a_case() -> None:
    missing = set(bias_table())
    for case in OPERATOR_CASES:
        if missing:  # capturing takes its time, and most rows are reached early
            captured = capture(CaseModule(case).eval(), case.make_inputs(2))
            missing -= {node.target for node in captured.graph_module.graph.nodes}
    assert not missing, f"no case in tests/support/operator_cases/ reaches {', '.join(sorted(map(str, missing)))}"


@pytest.mark.parametrize(
    ("shrink", "bias"),
    [(F.hardshrink, lambda x: 0 * x), (F.softshrink, lambda x: -0.5 * x.sign() * (x.abs() > 0.5))],
    ids=["hardshrink", "softshrink"],
)
def test_what_is_shrunk(shrink: Callable[[Tensor], Tensor], bias: Callable[[Tensor], Tensor]) -> None:
    """PyTorch takes both apart before a row of theirs could be asked; their parts have the bias of the whole."""
    x = torch.tensor([[0.0, -0.0, 0.25, 0.5, -0.5, 3.0, -3.0, 1e4]], dtype=torch.float64)
    terms = fgcompile.full_gradient(CaseModule(BY_NAME[shrink.__name__]).eval(), x, target=lambda y: y.sum(1))
    torch.testing.assert_close(sum(terms.bias_gradients.values()), bias(x), rtol=0, atol=0)
    torch.testing.assert_close(terms.input_gradient, (shrink(x) != 0).double(), rtol=0, atol=0)


def test_an_operator_without_rule_or_derivative_is_named() -> None:
    class IncompleteGamma(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.special.gammainc(x.abs(), torch.ones_like(x)) * x

    with pytest.raises(UnsupportedOpError, match=r"not differentiable.*igamma"):
        fgcompile.full_gradient(IncompleteGamma().eval(), torch.randn(2, 3), target=lambda y: y.sum(1))


def test_the_fallback_is_implicit() -> None:
    assert isinstance(FALLBACK.bias(None), Implicit)  # type: ignore[arg-type]  # it looks at nothing
