"""Models that compute steps alone have no gradient, which autograd calls 0: they are refused, with the operator."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.errors import ScoreError

X = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(0))
TABLE = torch.arange(12.0).reshape(4, 3)


class Network(nn.Module):
    """A convolution, then a pooling and a head, with something behind each of the two."""

    def __init__(
        self, end: Callable[[Tensor], Tensor] = lambda y: y, within: Callable[[Tensor], Tensor] = lambda y: y
    ) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4, 5)
        self.end, self.within = end, within
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.head(self.within(self.conv(x)).relu().mean((2, 3))))


STEPS: dict[str, Callable[[Tensor], Tensor]] = {
    "sign": lambda y: y.sign(),
    "round": lambda y: (y * 10).round() / 10,
    "floor": lambda y: y.floor() + 1,
    "ceil": lambda y: y.ceil().relu(),
    "trunc": lambda y: y.trunc(),
    "div with a rounding_mode": lambda y: torch.div(y, 0.5, rounding_mode="floor"),
}

PAST: dict[str, Callable[[Tensor], Tensor]] = {
    "straight through": lambda y: y + (y.round() - y).detach(),
    "rounding beside a path": lambda y: y.round() + 0.1 * y,
    "signed logarithm": lambda y: y.sign() * y.abs().log1p(),
    "fraction": lambda y: y - y.floor(),
    "quotient": lambda y: y / 0.5,
}


def has_a_slope(function: Callable[[Tensor], Tensor]) -> bool:
    """Whether a function's values change with small changes of what it takes: finite differences."""
    at = torch.linspace(-3.03, 3.01, 211, dtype=torch.float64)
    return bool(((function(at + 1e-7) - function(at)).abs() > 0).double().mean() > 0.5)


@pytest.mark.parametrize("name", STEPS)
def test_steps_behind_everything_are_refused_by_name(name: str) -> None:
    assert not has_a_slope(STEPS[name])
    with pytest.raises(ScoreError, match=rf"through {name} at .*test_steps.py:\d+ alone, whose derivative is 0"):
        fgcompile.full_gradient(Network(STEPS[name]), X)


def test_steps_between_layers_are_refused_when_compiling() -> None:
    with pytest.raises(ScoreError, match="through round at"):
        fgcompile.compile(Network(within=torch.round), X)


def test_a_score_of_steps_is_refused() -> None:
    with pytest.raises(ScoreError, match=r"through floor in 'score.floor' alone"):
        fgcompile.full_gradient(Network(), X, target=lambda y: y.floor().sum(1))


def test_steps_of_what_a_table_has_are_refused() -> None:
    class Bags(nn.Module):
        def forward(self, ids: Tensor) -> Tensor:
            return TABLE[ids].mean(1).round()

    with pytest.raises(ScoreError, match="through round at"):
        fgcompile.full_gradient(Bags().eval(), torch.tensor([[0, 2], [1, 3]]))


@pytest.mark.parametrize("name", PAST)
def test_steps_beside_a_gradient_are_explained(name: str) -> None:
    assert name == "straight through" or has_a_slope(PAST[name])
    terms = fgcompile.full_gradient(Network(PAST[name]), X)
    assert terms.input_gradient.any()


def test_steps_of_an_output_that_is_not_explained_are_left() -> None:
    model = Network(lambda y: {"logits": y, "classes": y.round()})  # type: ignore[arg-type, return-value]
    assert fgcompile.full_gradient(model, X).input_gradient.any()
    with pytest.raises(ScoreError, match="through round"):
        fgcompile.full_gradient(model, X, output="classes")
