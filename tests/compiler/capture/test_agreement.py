"""The captured graph beside the model: rounding passes in any precision, and what differs is named for what it is."""

from __future__ import annotations

import random

import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.compiler.capture.agreement import require_same_outputs
from fgcompile.compiler.capture.capture import capture
from fgcompile.errors import CaptureError
from tests.support.sweeps import few


def deep() -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, dropout=0.0) for _ in range(4)]
    return nn.Sequential(*layers, nn.Linear(16, 3), nn.Flatten(), nn.Linear(15, 3)).eval()


@pytest.mark.parametrize("dtype", few([torch.bfloat16, torch.float16], 1))
def test_half_precision_weights_are_those_of_the_same_model_in_float64(dtype: torch.dtype) -> None:
    model, x = deep().to(dtype), torch.randn(3, 5, 16)
    terms = fgcompile.full_gradient(model, x.to(dtype), target=0, rules="libragrad")
    score = deep().to(dtype).double()(x.to(dtype).double())[:, 0]
    torch.testing.assert_close(terms.score.double(), score, rtol=0.05, atol=0.05)


class Halved(nn.Module):
    """Computes in half precision whatever its weights are, so that it has no float32."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.layer, self.factor = nn.Linear(8, 8).bfloat16(), factor

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.bfloat16()) * self.factor


@pytest.mark.parametrize(("factor", "agrees"), [(1.01, True), (1.5, False)])
def test_a_model_without_float32_may_differ_by_roundings(factor: float, agrees: bool) -> None:
    model = Halved().eval()
    captured = capture(model, torch.randn(2, 8))
    model.factor = factor
    if agrees:
        require_same_outputs(captured, model, [torch.randn(2, 8)])
    else:
        with pytest.raises(CaptureError, match="differs from that of Halved"):
            require_same_outputs(captured, model, [torch.randn(2, 8)])


def test_a_wrong_graph_is_found_in_half_precision() -> None:
    """One percent, which in bfloat16 alone could be rounding."""
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 3)).eval().bfloat16()
    x = torch.randn(2, 8).bfloat16()
    captured = capture(model, x)
    with torch.no_grad():
        model[1].weight = nn.Parameter(model[1].weight * 1.02)
    with pytest.raises(CaptureError, match="does not see"):
        require_same_outputs(captured, model, [x])


class Shaky(nn.Module):
    """Draws numbers that PyTorch does not know of."""

    def forward(self, x: Tensor) -> Tensor:
        return x * (1 + random.random())


class Frozen(nn.Module):
    """Scales by a number that it computes while it is not looked at."""

    def forward(self, x: Tensor) -> Tensor:
        return x * (1.0 if torch.compiler.is_exporting() else 2.0)


def test_state_and_chance_are_named_where_two_runs_differ_alone() -> None:
    with pytest.raises(CaptureError, match="two runs of the model differ too"):
        capture(Shaky().eval(), torch.randn(2, 3))
    with pytest.raises(CaptureError, match=r"depends on values in a way that torch\.export does not see"):
        capture(Frozen().eval(), torch.randn(2, 3))
