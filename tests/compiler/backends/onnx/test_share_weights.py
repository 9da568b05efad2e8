"""The weights of convolutions are in an ONNX file once, and what the artifact computes is the same to the bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnx_ir
import pytest
import torch
from torch import nn

import fgcompile
from fgcompile.artifact.seal import seal_onnx
from fgcompile.compiler.backends.onnx import emit
from fgcompile.compiler.backends.onnx.emit import _serialised
from fgcompile.compiler.backends.onnx.share_weights import share_weights
from fgcompile.compiler.backends.onnx.simplify import simplify
from fgcompile.compiler.ir.programs import FusedProgram
from fgcompile.compiler.ir.runner import Pass
from tests.support.sweeps import few

CONVOLUTIONS = {
    "3×3": nn.Conv2d(32, 48, 3, padding=1),
    "1×1": nn.Conv2d(64, 96, 1),
    "square 1×1": nn.Conv2d(64, 64, 1),
    "3×3 by phases": nn.Conv2d(64, 96, 3, stride=2, padding=1),
    "5×5 by phases": nn.Conv2d(32, 32, 5, stride=2, padding=2),
    "dilated": nn.Conv2d(32, 48, 3, dilation=2),
    "depthwise": nn.Conv2d(512, 512, 3, groups=512, padding=1),
    "signal": nn.Conv1d(32, 64, 5),
    "volume": nn.Conv3d(16, 32, 3),
}


class Unshared:
    """Keeps the file as it would be with no weights shared, of the same compile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.content = b""
        monkeypatch.setattr(emit, "PASSES", (simplify, Pass("keep", self._keep), share_weights))
        monkeypatch.setattr(emit, "_serialised", self._serialise)

    def _keep(self, model: onnx_ir.Model) -> bool:
        self._whole = onnx_ir.to_proto(model)
        return False

    def _serialise(self, shared: onnx.ModelProto, program: FusedProgram) -> bytes:
        self.content = seal_onnx(_serialised(self._whole, program))
        return _serialised(shared, program)


def explained(path: Path, x: torch.Tensor) -> fgcompile.Explanation:
    return fgcompile.load(path, providers=["CPUExecutionProvider"]).explain((x * 0.7).numpy())


@pytest.mark.parametrize(
    ("name", "on_demand"), few([*((name, False) for name in CONVOLUTIONS), ("3×3 by phases", True)], 2)
)
def test_a_weight_is_stored_once(name: str, on_demand: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    layer = CONVOLUTIONS[name]
    model = nn.Sequential(nn.Flatten(1, 1), layer, nn.ReLU(), nn.Flatten(), nn.LazyLinear(3)).eval()
    x = torch.randn(1, layer.in_channels, *[9] * (layer.weight.ndim - 2))
    model(x)
    path, whole = tmp_path / "shared.onnx", tmp_path / "whole.onnx"
    unshared = Unshared(monkeypatch)
    fgcompile.compile(model, x, on_demand=on_demand).save(path)
    whole.write_bytes(unshared.content)
    shared, expected = explained(path, x), explained(whole, x)
    assert whole.stat().st_size - path.stat().st_size > 0.8 * layer.weight.nbytes
    np.testing.assert_array_equal(shared.logits, expected.logits)
    np.testing.assert_array_equal(shared.saliency, expected.saliency)


def test_weights_of_groups_and_small_ones_are_stored_as_they_are(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Conv2d(3, 128, 3), nn.ReLU(), nn.Conv2d(128, 128, 3, groups=2), nn.Flatten()).eval()
    path = tmp_path / "small.onnx"
    fgcompile.compile(model, torch.randn(1, 3, 8, 8)).save(path)
    graph = onnx.load(path).graph
    constants = {tensor.name for tensor in graph.initializer}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert len(convolutions) > 2
    assert all(node.input[1] in constants for node in convolutions)
