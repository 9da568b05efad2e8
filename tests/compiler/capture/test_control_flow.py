"""Control flow: what a model decides by its own constants is captured, what it decides by values is named."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.compiler.capture.capture import capture
from fgcompile.errors import CaptureError
from tests.support.sweeps import few


class Flagged(nn.Module):
    """Either branch of a condition that is a buffer, one of them with a condition of its own."""

    flag: Tensor

    def __init__(self, flag: float) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 3)
        self.register_buffer("flag", torch.tensor(flag))

    def forward(self, x: Tensor) -> Tensor:
        def inner(v: Tensor) -> Tensor:
            return torch.cond(self.flag > 1.5, lambda u: self.first(u).relu(), lambda u: u * 3, (v,))

        y = torch.cond(self.flag > 0, inner, lambda v: v.tanh() * 2, (self.first(x),))
        return self.second(y)


@pytest.mark.parametrize("flag", few([-1.0, 1.0, 2.0], 2))
def test_a_condition_on_constants_takes_its_branch(flag: float) -> None:
    torch.manual_seed(0)
    model, x = Flagged(flag).eval().double(), torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    terms = fgcompile.full_gradient(model, x.detach(), target=1)
    y = model.first(x)
    y = y.tanh() * 2 if flag < 0 else (model.first(y).relu() if flag > 1.5 else y * 3)
    score = model.second(y)[:, 1]
    (gradient,) = torch.autograd.grad(score.sum(), x)
    torch.testing.assert_close(terms.score, score.detach())
    torch.testing.assert_close(terms.input_gradient, gradient)
    assert terms.relative_completeness_error.max() < 1e-12


class Called(nn.Module):
    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.function = function

    def forward(self, x: Tensor) -> Any:
        return self.function(self.layer(x))


def conditional(y: Tensor) -> Tensor:
    return torch.cond(y.sum() > 0, lambda v: v * 2, lambda v: v * 3, (y,))


def of_the_batch(y: Tensor) -> Tensor:
    return torch.cond(y.shape[0] > 2, lambda v: v * 2, lambda v: v * 3, (y,))


@pytest.mark.parametrize("function", [conditional, of_the_batch])
def test_a_condition_on_the_input_is_refused_by_name(function: Callable[[Tensor], Tensor]) -> None:
    model = nn.Sequential(OrderedDict(part=Called(function))).eval()
    with pytest.raises(CaptureError, match=r"torch\.cond in 'part\.cond'.*torch\.where"):
        capture(model, torch.randn(2, 4))


def looping(y: Tensor) -> Tensor:
    from torch._higher_order_ops.while_loop import while_loop

    (result,) = while_loop(lambda v: v.abs().max() > 0.1, lambda v: (v / 2,), (y,))
    return result


def test_other_graphs_inside_are_refused_by_name() -> None:
    with pytest.raises(CaptureError, match=r"while_loop"):
        capture(Called(looping).eval(), torch.randn(2, 4))


def branching(y: Tensor) -> Tensor:
    if y.sum() > 0:
        return y * 2
    return y


def distributed(y: Tensor) -> Tensor:
    return torch.distributions.Normal(y, y.exp(), validate_args=True).log_prob(torch.zeros(()))


def asserting(y: Tensor) -> Tensor:
    assert y.abs().max() < 1e9, "too large"
    return y


def counting(y: Tensor) -> Tensor:
    for _ in range(int(y.abs().max())):
        y = y + 1
    return y


def dividing(y: Tensor) -> Tensor:
    return y / float(y.abs().max())


@pytest.mark.parametrize(
    ("function", "line", "message"),
    [
        (branching, 1, "control flow that depends on values at {} "),
        (asserting, 1, "asserts something about values at {},"),
        (distributed, 1, "has a distribution check its arguments at {}, which a graph cannot stop at: give it "),
        (counting, 1, "reads a value at {} as a number of Python's, by .item(), float() or int(), "),
        (dividing, 1, "reads a value at {} as a number of Python's, "),
    ],
)
def test_a_decision_by_values_is_named_with_its_line(
    function: Callable[[Tensor], Tensor], line: int, message: str
) -> None:
    place = f"{__file__}:{function.__code__.co_firstlineno + line}"
    with pytest.raises(CaptureError) as caught:
        capture(Called(function).eval(), torch.randn(2, 4))
    assert message.format(place) in str(caught.value)
    assert "torch.cond" not in str(caught.value)
    assert "\n" not in str(caught.value)


NUMBERS: dict[str, Callable[[Tensor], Tensor]] = {
    "factor": lambda y: y * y.abs().max().item(),
    "bound": lambda y: y.clamp(max=y.mean().item()),
    "list": lambda y: y + y.sum((0, 1)).reshape(1).tolist()[0],
    "tensor of it": lambda y: y + torch.tensor(y.max().item()),
}


@pytest.mark.parametrize("function", NUMBERS.values(), ids=NUMBERS)
def test_a_number_that_no_decision_needs_is_refused_too(function: Callable[[Tensor], Tensor]) -> None:
    """``torch.export`` takes it as one of any value, which ended in an error of PyTorch's while differentiating."""
    with pytest.raises(CaptureError, match=rf"Called reads a value at {__file__}:\d+ as a number of Python's"):
        capture(Called(function).eval(), torch.randn(2, 4))
