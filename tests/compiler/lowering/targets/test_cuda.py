"""The forms for graphics cards equal those for CPUs, and are taken when the artifact is to be fast there."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import fgcompile
from fgcompile.compiler.lowering import decomposition_table
from fgcompile.compiler.pipeline import fuse
from tests.support.networks import build
from tests.support.sweeps import few

aten = torch.ops.aten


SHAPES = [
    ((2, 3, 784), [2]),
    ((2, 3, 1000), [-1, 1]),
    ((1, 5, 6, 60), [3, 1, 2]),
    ((4, 1024), [1]),
    ((2, 3, 1031), [2]),
    ((2, 1, 1), [2]),
]


@pytest.mark.parametrize("name", ["amax", "amin"])
@pytest.mark.parametrize(("shape", "dim"), SHAPES)
@pytest.mark.parametrize("keepdim", [False, True])
def test_extremes_are_pooled(name: str, shape: tuple[int, ...], dim: list[int], keepdim: bool) -> None:
    x = torch.randn(shape)
    lower = decomposition_table("onnx", "cuda")[getattr(aten, name).default]
    torch.testing.assert_close(lower(x, dim, keepdim), getattr(torch, name)(x, dim, keepdim), rtol=0, atol=0)


@pytest.mark.parametrize("name", ["amax", "amin"])
@pytest.mark.parametrize(("shape", "dim"), [((2, 784, 3), [1]), ((2, 3, 784), [0, 2]), ((784,), [0]), ((2, 3), [])])
def test_other_extremes_stay(name: str, shape: tuple[int, ...], dim: list[int]) -> None:
    lower = decomposition_table("onnx", "cuda")[getattr(aten, name).default]
    assert lower(torch.randn(shape), dim) is NotImplemented


@pytest.mark.slow
@pytest.mark.parametrize(("device", "transposed"), [("cpu", 0), ("cuda", 1)])
@pytest.mark.parametrize("format", ["onnx", "torchscript", "pt2"])
def test_strided_convolutions_are_transposed_on_graphics_cards(format: str, device: str, transposed: int) -> None:
    model = nn.Sequential(nn.Conv2d(16, 16, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()).eval()
    graph = fuse(model, torch.randn(2, 16, 16, 16), format=format, device=device).graph_module.graph
    convolutions = graph.find_nodes(op="call_function", target=aten.convolution.default)
    assert sum(bool(node.args[6]) for node in convolutions) == transposed


@pytest.mark.parametrize(("format", "suffix"), few([("onnx", "onnx"), ("torchscript", "pt")], 1))
def test_what_is_fast_on_a_graphics_card_runs_on_a_cpu(format: str, suffix: str, tmp_path) -> None:
    model, _ = build("residual", torch.float32)
    x = torch.randn(2, 3, 34, 40)
    fgcompile.compile(model, x, format=format, device="cuda").save(tmp_path / f"model.{suffix}")
    assert fgcompile.verify(tmp_path / f"model.{suffix}", model, x).passed
