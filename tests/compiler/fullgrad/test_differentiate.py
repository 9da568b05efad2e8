"""Full-gradients: completeness, gradients against finite differences, and the authors' algorithm with hooks."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.demo.eager_fullgrad import fullgrad_reference
from fgcompile.errors import InputError, ScoreError
from tests.support.finite_differences import input_gradient_by_differences
from tests.support.networks import NETWORKS, ConvNet, build
from tests.support.sweeps import few


@pytest.mark.parametrize("name", few(NETWORKS, 3))
def test_terms_add_up_to_the_score(name: str) -> None:
    model, x = build(name)
    terms = fgcompile.full_gradient(model, x)
    assert terms.relative_completeness_error.max() < 1e-12
    assert terms.completeness_error.shape == (2,)
    assert terms.target is not None
    torch.testing.assert_close(terms.output, model(x).detach())
    torch.testing.assert_close(terms.target, model(x).argmax(1))
    total = (terms.input_gradient * x).flatten(1).sum(1)
    for value in terms.bias_gradients.values():
        total = total + value.flatten(1).sum(1)
    torch.testing.assert_close(total, terms.score, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", few(NETWORKS, 3))
def test_the_input_gradient_equals_finite_differences(name: str) -> None:
    model, x = build(name)
    gradient = fgcompile.full_gradient(model, x, target=1).input_gradient
    assert isinstance(gradient, Tensor)
    flat = torch.randperm(gradient[0].numel())[:5]
    indices = [(0, *(int(i) for i in torch.unravel_index(index, gradient.shape[1:]))) for index in flat]

    def score(values: Tensor) -> Tensor:
        return model(values)[:, 1].sum()

    expected = input_gradient_by_differences(score, x, indices)
    torch.testing.assert_close(torch.stack([gradient[i] for i in indices]), expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", ["residual", "signal", "volume"])
def test_terms_equal_those_of_the_authors_algorithm(name: str) -> None:
    model, x = build(name)
    target = torch.tensor([1, 0])
    terms = fgcompile.full_gradient(model, x, target=target)
    reference = fullgrad_reference(model, x, target)
    torch.testing.assert_close(terms.input_gradient, reference.input_gradient)
    assert set(terms.bias_gradients) == set(reference.terms)
    for layer, (gradient, bias) in reference.terms.items():
        torch.testing.assert_close(terms.bias_gradients[layer], gradient * bias, rtol=1e-10, atol=1e-12)


def test_each_way_to_name_the_target() -> None:
    model, x = build("residual")
    predicted = model(x).argmax(1)
    by_default = fgcompile.full_gradient(model, x).score
    torch.testing.assert_close(fgcompile.full_gradient(model, x, target="predicted").score, by_default)
    torch.testing.assert_close(fgcompile.full_gradient(model, x, target=torch.tensor([-1, -1])).score, by_default)
    torch.testing.assert_close(fgcompile.full_gradient(model, x, target=predicted).score, by_default)
    difference = fgcompile.full_gradient(model, x, target=lambda y: y[:, 0] - y[:, 1])
    assert difference.target is None
    torch.testing.assert_close(difference.score, (model(x)[:, 0] - model(x)[:, 1]).detach())
    assert difference.relative_completeness_error.max() < 1e-12


def test_several_inputs_have_a_gradient_each() -> None:
    class Two(nn.Module):
        def forward(self, image: Tensor, weight: Tensor) -> Tensor:
            return (image.mean((2, 3)) * weight).relu()

    inputs = (torch.randn(2, 3, 4, 4, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64))
    terms = fgcompile.full_gradient(Two().eval(), inputs)
    assert [gradient.shape for gradient in terms.input_gradient] == [(2, 3, 4, 4), (2, 3)]
    assert terms.relative_completeness_error.max() < 1e-12


def test_the_computation_runs_in_the_dtype_of_the_model() -> None:
    model, x = build("residual", torch.float32)
    terms = fgcompile.full_gradient(model, x)
    assert terms.score.dtype == torch.float32
    assert terms.relative_completeness_error.max() < 1e-5


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (lambda y: y, "must be one scalar per sample"),
        (lambda y: torch.zeros(2, dtype=torch.float64), "does not depend"),
        (5, "target 5 is out of range: the model has classes 0 to 4"),
    ],
)
def test_a_score_that_is_none_is_refused(target: object, message: str) -> None:
    model, x = build("residual")
    with pytest.raises(ScoreError, match=message):
        fgcompile.full_gradient(model, x, target=target)  # type: ignore[arg-type]


def test_an_output_that_is_no_class_logits_needs_a_callable() -> None:
    model = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0)).eval()
    with pytest.raises(ScoreError, match="explain it itself by target=Value"):
        fgcompile.full_gradient(model, torch.randn(2, 3))


def test_unknown_rules_are_refused() -> None:
    with pytest.raises(InputError, match="rules is 'magic', which is not one of"):
        fgcompile.full_gradient(ConvNet().eval(), torch.zeros(1, 3, 16, 16), rules="magic")
