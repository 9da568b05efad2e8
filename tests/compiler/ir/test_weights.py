"""NaN in the weights is said of the weights, by name, and not of the example."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.errors import CaptureError, VerificationError

X = torch.randn(2, 4, generator=torch.Generator().manual_seed(0))


class Network(nn.Module):
    """With a mask as attention has it, and a buffer that nothing reads."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head, self.norm = nn.Linear(4, 6), nn.Linear(6, 3), nn.BatchNorm1d(6)
        self.register_buffer("mask", torch.tensor([0.0, -math.inf] * 3))
        self.register_buffer("unread", torch.tensor([math.nan]))
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.head((self.norm(self.body(x)) + self.mask).softmax(1))


def spoilt(name: str, value: float) -> Network:
    model = Network()
    del model.unread
    model.state_dict()[name].view(-1)[1] = value
    return model


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("head.weight", math.nan, r"parameter 'head\.weight' holds NaN, in 1 of 18 numbers"),
        ("body.bias", math.inf, r"parameter 'body\.bias' holds infinity, in 1 of 6 numbers"),
        ("norm.running_var", math.nan, r"buffer 'norm\.running_var' holds NaN"),
    ],
)
def test_the_tensor_that_is_no_number_is_named(name: str, value: float, message: str) -> None:
    model = spoilt(name, value)
    with pytest.raises(CaptureError, match=message):
        fgcompile.full_gradient(model, X)
    with pytest.raises(CaptureError, match=message):
        fgcompile.full_gradient(model, X, target=lambda y: y[:, 0] + y[:, 1])


def test_it_is_named_of_files_too(tmp_path: Path) -> None:
    path = tmp_path / "spoilt.pt"
    torch.jit.trace(spoilt("head.weight", math.nan), X).save(path)  # type: ignore[no-untyped-call]
    with pytest.raises(CaptureError, match=r"'head\.weight' holds NaN"):
        fgcompile.compile(path, X)


def test_it_is_named_of_a_program_once_that_is_checked() -> None:
    dynamic = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(spoilt("head.weight", math.nan), (X,), dynamic_shapes=dynamic)
    with pytest.raises(VerificationError, match=r"weight '\w*head_weight' holds NaN"):
        fgcompile.compile(program, X)


def test_masks_and_what_nothing_reads_are_left() -> None:
    assert fgcompile.full_gradient(Network(), X).input_gradient.isfinite().all()


def test_an_example_of_nan_is_as_good_as_another_of_its_shape() -> None:
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU()).eval()
    artifact = fgcompile.compile(model, torch.full_like(X, math.nan))
    torch.testing.assert_close(artifact.session().explain(X).logits, model(X).detach())
