"""A model that decides by its sizes is no one graph: refused by its line, or held to the sizes at which it is one.

The oracle is the model itself, in eager mode, at other sizes.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import fgcompile
from fgcompile.compiler.capture.capture import capture
from fgcompile.errors import CaptureError
from tests.support.sweeps import few

LENGTH = 48
"""The example's, of which a layer makes 24."""


class Decides(nn.Module):
    """A convolution that halves the length, and what is made of its values and of the input's length."""

    def __init__(self, head: Callable[[Tensor, int], Tensor]) -> None:
        super().__init__()
        self.first, self.head = nn.Conv1d(2, 8, 3, stride=2, padding=1), head

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.first(x).relu(), x.shape[-1])


def _mean_of_steps(y: Tensor, _: int) -> Tensor:
    total = torch.zeros_like(y[..., 0])
    for step in range(y.shape[-1]):
        total = total + y[..., step]
    return total


NUMBERS = {
    "square root": lambda y, _: y.sum(2) / math.sqrt(y.shape[-1]),
    "part": lambda y, _: y[..., : int(y.shape[-1] * 0.75)].mean(2),
    "loop": _mean_of_steps,
    "condition on a layer's": lambda y, _: y.mean(2) * (2 if y.shape[-1] > 30 else 1),
    "condition on the input's": lambda y, length: y.mean(2) * (2 if length > 100 else 1),
    "condition far away": lambda y, length: y.mean(2) * (2 if length > 40_000 else 1),
    "remainder": lambda y, _: F.pad(y, (0, 1)).mean(2) if y.shape[-1] % 2 else y.mean(2),
}


@pytest.mark.parametrize("head", few(NUMBERS.values(), 4), ids=NUMBERS)
def test_what_larger_sizes_would_change_is_refused_by_its_line(head: Callable[[Tensor, int], Tensor]) -> None:
    with pytest.raises(CaptureError, match=rf"Decides decides by the sizes of its input at {__file__}:\d+, so that"):
        capture(Decides(head).eval(), torch.randn(2, 2, LENGTH), dynamic_sizes=True)


def _checked(y: Tensor, length: int) -> Tensor:
    assert length <= 1000, "positions end there"
    return y.mean(2)


SIZES = {
    "power": lambda y, _: y.sum(2) / y.shape[-1] ** 0.5,
    "part": lambda y, _: y[..., : y.shape[-1] * 3 // 4].mean(2),
    "least": lambda y, _: F.pad(y, (0, max(0, 40 - y.shape[-1]))).mean(2),
    "either way the same": lambda y, _: y.mean(2) if y.shape[-1] > 30 else y.sum(2) / y.shape[-1],
    "a size that is not taken": _checked,
    "one sample without its axis": lambda y, _: y.mean(2).squeeze(),
}


@pytest.mark.parametrize("head", SIZES.values(), ids=SIZES)
def test_what_is_right_at_every_size_is_taken(head: Callable[[Tensor, int], Tensor]) -> None:
    model = Decides(head).eval()
    captured = capture(model, torch.randn(2, 2, LENGTH), dynamic_sizes=True)
    assert not captured.other_below
    for length in (41, 97, 500):
        x = torch.randn(3, 2, length)
        torch.testing.assert_close(captured.graph_module(x)[0], model(x))


def test_a_decision_without_a_condition_is_found_too() -> None:
    model = Decides(lambda y, length: y.mean(2) * (1 + length % 2 if isinstance(length, int) else 1)).eval()
    with pytest.raises(CaptureError, match=r"not the model for inputs of shape \(5, 2, 49\) too"):
        capture(model, torch.randn(2, 2, LENGTH), dynamic_sizes=True)


def test_smaller_sizes_that_change_it_are_not_taken() -> None:
    model = Decides(lambda y, length: y.mean(2) * (2 if length < 37 else 1)).eval()
    artifact = fgcompile.compile(model, torch.randn(2, 2, LENGTH), dynamic_sizes=True, outputs=("logits", "saliency"))
    assert artifact.metadata["inputs"][0]["smallest"] == [1, 2, 37]


def test_a_batch_that_decides_through_another_size_is_refused() -> None:
    class Frames(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            pairs = (x.shape[0] + 1) // 2
            return x.mean((1, 2)) * math.sqrt(pairs)

    with pytest.raises(CaptureError, match="Frames decides by its batch size: for a batch of 5 it goes one way"):
        capture(Frames().eval(), torch.randn(2, 2, LENGTH))
