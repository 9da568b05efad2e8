"""What PyTorch's exporters write by several operators has one site, and the map that the network has."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.compiler.capture.onnx.read import read_onnx


class Written(nn.Module):
    """By hand in another order than the exporters', and a gate that is not the value's own."""

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, C, H, W) to the same."""
        x = x * 0.5 * (1.0 + torch.erf(x / math.sqrt(2)))
        return x * torch.sigmoid(2 * x)


class InverseRoot(nn.Module):
    """What normalisations written by hand divide by."""

    def forward(self, x: Tensor) -> Tensor:
        """Maps (N, F) to the same."""
        return torch.rsqrt(x + 0.5)


def export(model: nn.Module, x: Tensor, path: Path, dynamo: bool) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if dynamo:
            batch = {0: torch.export.Dim("batch")}
            torch.onnx.export(model, (x,), path, input_names=["x"], dynamic_shapes=(batch,), verbose=False)
        else:
            axes = {"x": {0: "batch"}}
            torch.onnx.export(model, (x,), path, input_names=["x"], dynamic_axes=axes, dynamo=False, opset_version=17)
    return path


def operators(path: Path) -> set[str]:
    return {child.operator_name for child in read_onnx(path).children()}


@pytest.mark.filterwarnings("ignore::fgcompile.RulesWarning")  # of the groups
@pytest.mark.parametrize("dynamo", [True, False])
def test_activations_and_groups_are_whole(dynamo: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    layers = (nn.GELU(), nn.GELU("tanh"), nn.SiLU(), nn.Mish(), nn.GroupNorm(2, 4, 1e-3), nn.Softplus())
    model = nn.Sequential(nn.Conv2d(3, 4, 1), *layers, nn.Flatten(), nn.Linear(16, 3)).eval()
    nn.init.normal_(model[5].weight)
    nn.init.normal_(model[5].bias)
    x = torch.randn(2, 3, 2, 2)
    path = export(model, x, tmp_path / "model.onnx", dynamo)
    found = operators(path)
    assert found >= {"Gelu", "Swish", "Mish", "GroupNormalization", "Softplus"}
    assert found <= {"Conv", "Gelu", "Swish", "Mish", "GroupNormalization", "Softplus", "Flatten", "Reshape", "Gemm"}

    ours, theirs = fgcompile.full_gradient(path, x), fgcompile.full_gradient(model, x)
    assert len(ours.bias_gradients) == len(theirs.bias_gradients)
    for one, other in zip(ours.bias_gradients.values(), theirs.bias_gradients.values(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_what_is_written_by_hand_stays_as_it_is(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), Written()).eval()
    found = operators(export(model, torch.randn(2, 3, 2, 2), tmp_path / "model.onnx", dynamo=False))
    assert found == {"Conv", "Erf", "Sigmoid", "Mul", "Add", "Div"}


def test_a_tensor_within_can_be_explained(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.GELU()).eval()
    path = export(model, torch.randn(2, 3, 2, 2), tmp_path / "model.onnx", dynamo=False)
    within = read_onnx(path, "/1/Erf_output_0")
    x = torch.randn(2, 3, 2, 2)
    expected = torch.erf(model[0](x) / math.sqrt(2))
    torch.testing.assert_close(within(x)["/1/Erf_output_0"], expected)


@pytest.mark.parametrize("dynamo", [True, False])
def test_groups_of_one_channel_of_a_signal_are_whole(dynamo: bool, tmp_path: Path) -> None:
    model = nn.Sequential(nn.Conv1d(2, 4, 1), nn.GroupNorm(4, 4)).eval()
    nn.init.normal_(model[1].weight)
    path = export(model, torch.randn(2, 2, 5), tmp_path / "model.onnx", dynamo)
    assert operators(path) == {"Conv", "GroupNormalization"}
    x = torch.randn(3, 2, 5)
    torch.testing.assert_close(read_onnx(path)(x), model(x))


@pytest.mark.parametrize("dynamo", [True, False])
def test_an_inverse_root_is_one_power(dynamo: bool, tmp_path: Path) -> None:
    path = export(InverseRoot(), torch.rand(2, 3), tmp_path / "model.onnx", dynamo)
    assert operators(path) == {"Add", "Pow"}
    x = torch.rand(3, 3)
    torch.testing.assert_close(read_onnx(path)(x), torch.rsqrt(x + 0.5))
