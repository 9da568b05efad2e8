"""What a model detaches itself has zero gradient, as in eager PyTorch, and completeness stays exact."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import fgcompile
from fgcompile.compiler.capture.capture import capture
from fgcompile.compiler.pipeline import fuse
from fgcompile.errors import ScoreError
from tests.compiler.biases.test_table import weighted_sum
from tests.support.networks import Function
from tests.support.sweeps import few


def without_gradient(x: Tensor) -> Tensor:
    with torch.no_grad():
        gate = (x.sin() * 2).exp()
        mask = x > 0
    return x * gate + mask


def partly(x: Tensor) -> Tensor:
    with torch.no_grad():
        norm = x.pow(2).sum(1, keepdim=True)
        with torch.enable_grad():
            y = x * 3
    return (y / norm).sigmoid() + norm


def in_place(x: Tensor) -> Tensor:
    y = (x * 2).detach_()
    return torch.cat([y.cos() * x, y], 1)


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "detach": lambda x: x.sigmoid() * x.tanh().detach().exp() + x.detach(),
    "detach in place": in_place,
    "no_grad": without_gradient,
    "enable_grad inside no_grad": partly,
    "normalised by detached statistics": lambda x: (x - x.mean(1, keepdim=True).detach()) / x.std(1, keepdim=True),
}


@pytest.mark.parametrize("rules", ["taylor", "libragrad"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_completeness_is_exact(name: str, rules: str) -> None:
    model, x = Function(FUNCTIONS[name]).eval(), torch.randn(3, 6, dtype=torch.float64)
    terms = fgcompile.full_gradient(model, x, target=weighted_sum, rules=rules)
    torch.testing.assert_close(terms.output, model(x))
    assert terms.relative_completeness_error.max() < 1e-12


@pytest.mark.parametrize("name", few(FUNCTIONS, 3))
def test_gradients_equal_those_of_eager_pytorch(name: str) -> None:
    model, x = Function(FUNCTIONS[name]).eval(), torch.randn(3, 6, dtype=torch.float64)
    leaf = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(weighted_sum(model(leaf)).sum(), leaf)
    terms = fgcompile.full_gradient(model, x, target=weighted_sum, rules="taylor")
    torch.testing.assert_close(terms.input_gradient, expected)
    program = fuse(model, x, target=weighted_sum, rules="taylor", outputs=("contributions", "input_gradient"))
    contributions, gradient = program.graph_module(x)
    torch.testing.assert_close(gradient, expected)
    torch.testing.assert_close(contributions.sum(1), terms.score)


def test_an_exported_program_is_left_as_it_is() -> None:
    x = torch.randn(3, 6)
    shapes = {"x": {0: torch.export.Dim("batch")}}
    exported = torch.export.export(Function(in_place).eval(), (x,), dynamic_shapes=shapes)
    before = str(exported.graph)
    capture(exported, x)
    assert str(exported.graph) == before


def test_a_score_behind_a_detachment_is_refused() -> None:
    with pytest.raises(ScoreError, match="does not depend on"):
        fgcompile.full_gradient(Function(lambda x: (x * 2).detach()).eval(), torch.randn(2, 3))


def test_a_caller_without_gradient_gets_an_explanation() -> None:
    model, x = Function(torch.tanh).eval(), torch.randn(2, 3)
    with torch.no_grad():
        terms = fgcompile.full_gradient(model, x, target=1)
    assert terms.input_gradient[:, 1].abs().min() > 0
