"""Modules of simulated quantisation compile as they are once nothing is observed, and are refused before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.ao import quantization

import fgcompile
from fgcompile.errors import CaptureError
from tests.support.sweeps import crossed

PER_CHANNEL = {
    "observer": quantization.MovingAveragePerChannelMinMaxObserver,
    "qscheme": torch.per_channel_affine,
    "ch_axis": 1,
}
KINDS: dict[str, tuple[Any, dict[str, Any]]] = {
    "tensor": (quantization.FakeQuantize, {}),
    "channel": (quantization.FakeQuantize, PER_CHANNEL),
    "signed": (
        quantization.FakeQuantize,
        {"quant_min": -128, "quant_max": 127, "dtype": torch.qint8, "qscheme": torch.per_tensor_symmetric},
    ),
    "fused": (quantization.FusedMovingAvgObsFakeQuantize, {}),
}


class Net(nn.Module):
    """A convolution, what quantises, a classifier."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        make, options = KINDS[kind]
        self.first, self.last = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4, 3)
        self.quantise = make(
            **{"observer": quantization.MovingAverageMinMaxObserver, "quant_min": 0, "quant_max": 255, **options}
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.quantise(self.first(x)).relu().mean((2, 3)))


def _net(kind: str) -> tuple[Net, Tensor]:
    torch.manual_seed(0)
    model, x = Net(kind), torch.randn(2, 3, 5, 5)
    model(x * 0.5)
    return model.eval(), x


@pytest.mark.parametrize(("kind", "enabled"), crossed(KINDS, [True, False]))
def test_frozen_modules_have_the_straight_through_gradient(kind: str, enabled: bool, tmp_path: Path) -> None:
    model, x = _net(kind)
    model.apply(quantization.disable_observer)
    if not enabled:
        model.apply(quantization.disable_fake_quant)
    terms = fgcompile.full_gradient(model, x)
    leaf = x.clone().requires_grad_()
    output = model(leaf)
    (expected,) = torch.autograd.grad(output.amax(1).sum(), leaf)
    torch.testing.assert_close(terms.input_gradient, expected)
    torch.testing.assert_close(terms.output, output.detach())
    assert terms.relative_completeness_error.max() < 1e-6
    if kind == "fused" and enabled:
        fgcompile.compile(model, x, outputs=("logits", "saliency", "input_gradient")).save(tmp_path / "a.onnx")
        found = fgcompile.load(tmp_path / "a.onnx").explain(x.numpy())
        torch.testing.assert_close(torch.as_tensor(found.input_gradient), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["tensor", "fused"])
def test_observers_are_refused(kind: str) -> None:
    model, x = _net(kind)
    with pytest.raises(CaptureError, match=r"'quantise' still observes.*disable_observer"):
        fgcompile.compile(model, x)
