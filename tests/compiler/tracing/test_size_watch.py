"""An operator whose backward makes a number of a dynamic size is named, with its layer and its line."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.errors import CaptureError, ScoreError


@torch.library.custom_op("fgcompile_tests::fixing", mutates_args=())
def fixing(x: Tensor) -> Tensor:
    return x * 2


@fixing.register_fake
def _(x: Tensor) -> Tensor:
    return torch.empty_like(x)


def _backward(ctx: Any, gradient: Tensor) -> Tensor:
    return gradient.reshape(int(gradient.shape[0]), -1).reshape(gradient.shape) * 2


fixing.register_autograd(_backward)


class Fixing(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return fixing(x)


def test_the_operator_that_fixes_the_batch_is_named() -> None:
    model = nn.Sequential(nn.Linear(4, 4), Fixing(), nn.Tanh(), nn.Linear(4, 3)).eval()
    with pytest.raises(CaptureError) as caught:
        fgcompile.compile(model, torch.randn(2, 4))
    words = str(caught.value)
    assert words.startswith("'1.fixing' (fgcompile_tests.fixing.default) at ")
    assert f"{__file__}:" in words
    assert "fixes batch to a number" in words


def test_an_output_without_samples_is_no_fixed_batch() -> None:
    class Anchored(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.anchors, self.head = nn.Parameter(torch.randn(5, 4)), nn.Linear(4, 3)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.anchors.exp(), self.head(x)

    model, x = Anchored().eval(), torch.randn(2, 4)
    with pytest.raises(ScoreError, match=r"the output 'logits' has shape \(5, 4\) for every batch.*name another"):
        fgcompile.compile(model, x, target=lambda outputs: outputs[1][:, 0])
    assert fgcompile.compile(model, x, target=0, output=1).metadata["outputs"][0]["shape"] == ["batch", 3]
