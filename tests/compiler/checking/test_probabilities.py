"""A module that ends in a softmax is compiled as it is, with a warning; others without."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.errors import CaptureWarning


class _Net(nn.Module):
    def __init__(self, end: str) -> None:
        super().__init__()
        self.layer, self.end = nn.Linear(4, 3), end

    def forward(self, x: Tensor) -> Tensor:
        y = self.layer(x)
        return {"softmax": y.softmax(1), "gate": y.softmax(1) * y, "logits": y}[self.end]


@pytest.mark.parametrize("end", ["softmax", "gate", "logits"])
def test_probabilities_are_told(end: str) -> None:
    torch.manual_seed(0)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", CaptureWarning)
        fgcompile.compile(_Net(end).eval(), torch.randn(2, 4), rules="taylor", format="exported")
    messages = [str(each.message) for each in told if each.category is CaptureWarning]
    assert [message for message in messages if f"the model's output is a {end} ('softmax' at " in message] == messages
    assert len(messages) == (end == "softmax")


def test_who_asks_for_a_score_of_them_is_told_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", CaptureWarning)
        model, x = _Net("softmax").eval(), torch.randn(2, 4)
        fgcompile.compile(model, x, target=lambda y: y[:, 0], rules="taylor", format="exported")
