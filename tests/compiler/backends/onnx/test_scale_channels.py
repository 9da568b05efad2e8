"""A BatchNorm that belongs to no other layer is one node of an ONNX artifact, which computes the same."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

import fgcompile
from fgcompile.compiler.backends.onnx import emit
from fgcompile.compiler.backends.onnx.share_weights import share_weights
from fgcompile.compiler.backends.onnx.simplify import simplify
from tests.support.networks import randomised
from tests.support.sweeps import few


def network(convolution: type[nn.Module] = nn.Conv2d, twice: bool = False) -> nn.Module:
    """Layers that normalise in front of their convolution."""
    torch.manual_seed(0)
    norm = nn.BatchNorm2d if convolution is nn.Conv2d else nn.BatchNorm1d
    layers = [convolution(3, 16, 3), nn.ReLU(), norm(16), nn.ReLU(), convolution(16, 16, 3), nn.Tanh(), norm(16)]
    layers += [norm(16)] * twice
    return randomised(nn.Sequential(*layers, nn.ReLU(), nn.Flatten(), nn.LazyLinear(4)))


def operators(path: Path) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load(path).graph.node)


@pytest.mark.slow
@pytest.mark.parametrize("convolution", few([nn.Conv2d, nn.Conv1d], 1))
def test_it_is_one_node_and_the_same(
    convolution: type[nn.Module], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = torch.randn(2, 3, *[12] * (2 if convolution is nn.Conv2d else 1))
    model = nn.Sequential(network(convolution))
    model(x)
    model.eval()
    paths = tmp_path / "one.onnx", tmp_path / "two.onnx"
    fgcompile.compile(model, x, rules="taylor", psi="fullgrad").save(paths[0])
    monkeypatch.setattr(emit, "PASSES", (simplify, share_weights))
    fgcompile.compile(model, x, rules="taylor", psi="fullgrad").save(paths[1])
    assert operators(paths[0])["BatchNormalization"] == 2
    assert operators(paths[1])["BatchNormalization"] == 0
    assert operators(paths[0])["Add"] == operators(paths[1])["Add"] - 2
    feeds = {"x": x.numpy(), "target": np.array([1, 3])}
    one, other = (onnxruntime.InferenceSession(path).run(None, feeds) for path in paths)
    for ours, theirs in zip(one, other, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6 * np.abs(theirs).max())


@pytest.mark.parametrize("options", few([{"biases": "inputs"}, {"precision": "float16"}], 1))
def test_shifts_that_are_inputs_and_other_precisions_stay(options: dict[str, Any], tmp_path: Path) -> None:
    model, x = network(), torch.randn(1, 3, 12, 12)
    model(x)
    fgcompile.compile(model.eval(), x, rules="taylor", **options).save(tmp_path / "a.onnx")
    assert operators(tmp_path / "a.onnx")["BatchNormalization"] == 0


def test_one_behind_another_reads_it(tmp_path: Path) -> None:
    model, x = network(twice=True), torch.randn(2, 3, 12, 12)
    model(x)
    fgcompile.compile(model.eval(), x, rules="taylor").save(tmp_path / "a.onnx")
    assert operators(tmp_path / "a.onnx")["BatchNormalization"] == 3
    logits = fgcompile.load(tmp_path / "a.onnx").predict(x.numpy())
    np.testing.assert_allclose(logits, model(x).detach(), rtol=1e-4, atol=1e-5)
