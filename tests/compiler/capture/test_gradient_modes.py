"""Models that compute without gradients, or compute again: eager autograd says what the explanation is."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import CheckpointFunction, checkpoint

import fgcompile
from fgcompile.compiler.capture.capture import capture
from fgcompile.errors import CaptureError, ScoreError


class Probe(nn.Module):
    """A backbone, run in some way, and a head."""

    def __init__(self, run: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 4))
        self.head, self.run = nn.Linear(4, 3), run

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.run(self.backbone, x))


def without_gradients(layer: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        return layer(x)


def for_inference(layer: nn.Module, x: Tensor) -> Tensor:
    with torch.inference_mode():
        return layer(x)


def beside(layer: nn.Module, x: Tensor) -> Tensor:
    return without_gradients(layer, x) * x


def detached(layer: nn.Module, x: Tensor) -> Tensor:
    return layer(x).detach()


def test_a_part_without_gradients_is_named_with_its_last_layer() -> None:
    with pytest.raises(ScoreError, match=r"gradient ends at 'backbone\.2', by torch\.no_grad or detach"):
        fgcompile.compile(Probe(without_gradients).eval(), torch.randn(2, 4))


def test_a_detachment_is_named() -> None:
    with pytest.raises(ScoreError, match=r"gradient ends at 'detach', by torch\.no_grad or detach"):
        fgcompile.full_gradient(Probe(detached).eval(), torch.randn(2, 4))


def test_a_forward_without_gradients_is_named_with_its_last_layer() -> None:
    class Frozen(Probe):
        @torch.no_grad()
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x)

    with pytest.raises(ScoreError, match="gradient ends at 'head'"):
        fgcompile.full_gradient(Frozen(lambda layer, x: layer(x)).eval(), torch.randn(2, 4))


def test_inference_mode_is_named_with_its_line() -> None:
    line = f"{__file__}:{for_inference.__code__.co_firstlineno + 2}"
    with pytest.raises(CaptureError) as caught:
        capture(Probe(for_inference).eval(), torch.randn(2, 4))
    assert f"at {line} computes under torch.inference_mode" in str(caught.value)


def test_who_calls_in_inference_mode_is_not_taken_for_the_model() -> None:
    model = Probe(lambda layer, y: layer(y)).eval()
    with torch.inference_mode():
        capture(model, torch.randn(2, 4))


def test_under_inference_mode_everything_is_what_it_is_outside(tmp_path: Path) -> None:
    model, path = Probe(lambda layer, y: layer(y)).eval(), tmp_path / "model.onnx"
    with torch.inference_mode():
        x = torch.randn(2, 4)
        fgcompile.compile(model, x).save(path)
        assert fgcompile.verify(path, model, x).passed
        terms = fgcompile.full_gradient(model, x, target=lambda y, w: (y * w).sum(1), score_inputs={"w": x[:, :3]})
        assert torch.is_inference_mode_enabled()
    outside, w = x.clone().requires_grad_(), x[:, :3].clone()
    (expected,) = torch.autograd.grad((model(outside) * w).sum(), outside)
    torch.testing.assert_close(terms.input_gradient, expected)


@pytest.mark.parametrize("name", ["head.weight", "backbone.1.scale"])
def test_weights_that_were_made_in_inference_mode_are_named_and_copies_are_taken(name: str) -> None:
    model, x = Probe(lambda layer, y: layer(y)).eval(), torch.randn(2, 4)
    with torch.inference_mode():
        model.backbone[1].register_buffer("scale", torch.ones(5))
        if name == "head.weight":
            del model.backbone[1].scale
            model.head = nn.Linear(4, 3).eval()
    with pytest.raises(CaptureError, match=f"'{name}' of Probe was made under torch.inference_mode"):
        fgcompile.full_gradient(model, x)
    assert fgcompile.full_gradient(copy.deepcopy(model), x).input_gradient.any()


@pytest.mark.parametrize(
    "run",
    [
        beside,
        lambda layer, x: checkpoint(layer, x, use_reentrant=True),
        lambda layer, x: checkpoint(layer, x, use_reentrant=False),
    ],
    ids=["beside", "reentrant", "not reentrant"],
)
def test_gradients_are_those_of_eager_autograd(run: Callable[[nn.Module, Tensor], Tensor]) -> None:
    torch.manual_seed(0)
    model, x = Probe(run).eval().double(), torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    terms = fgcompile.full_gradient(model, x.detach(), target=2)
    model(x)[:, 2].sum().backward()  # which a reentrant checkpoint takes, unlike torch.autograd.grad
    torch.testing.assert_close(terms.input_gradient, x.grad)
    assert terms.relative_completeness_error.max() < 1e-12
    assert "apply" not in vars(CheckpointFunction)
