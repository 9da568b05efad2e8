"""Pictures that a file takes as bytes are explained as real numbers, beside ONNX Runtime on the bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

import fgcompile
from fgcompile.errors import CaptureWarning, ScoreError
from tests.compiler.capture.onnx.files import graph, model, node, onnx_runtime, random
from tests.support.sweeps import crossed

WEIGHTS: dict[str, Any] = {"w": random(4, 3, 3, 3) / 9, "b": random(4), "scale": np.float32(1 / 255)}
NETWORK = [node("Mul", "t scale", "s"), node("Conv", "s w b", "c", pads=[1] * 4), node("Relu", "c", "r")]
NETWORK += [node("GlobalAveragePool", "r", "g"), node("Flatten", "g", "y")]
LAST = [node("Transpose", "x", "p", perm=[0, 3, 1, 2]), node("Cast", "p", "t", to=1)]


@pytest.mark.parametrize(("given", "batch"), crossed([False, True], ["n", 1]))
def test_bytes_have_a_gradient(batch: Any, given: bool, tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    onnx.save(model(graph([*LAST, *NETWORK], {"x": ("uint8", [batch, 6, 6, 3])}, ["y"], WEIGHTS)), path)
    example = torch.zeros(1, 6, 6, 3, dtype=torch.uint8) if given else None
    with pytest.warns(CaptureWarning, match="takes 'x' as bytes"):
        artifact = fgcompile.compile(
            path, example, layouts={"x": "n h w c"}, outputs=("logits", "saliency", "input_gradient", "residual")
        )
    artifact.save(tmp_path / "artifact.onnx")
    x = np.random.default_rng(0).integers(0, 256, (3, 6, 6, 3)).astype(np.uint8)
    expected = np.concatenate([onnx_runtime(path).run(None, {"x": one[None]})[0] for one in x])
    explanation = fgcompile.load(tmp_path / "artifact.onnx").explain(x.astype(np.float32), target=2)
    np.testing.assert_allclose(explanation.logits, expected, rtol=1e-5, atol=1e-6)
    assert explanation.saliency.shape == (3, 1, 6, 6)
    assert (np.abs(explanation.input_gradient).reshape(3, -1).max(1) > 0).all()
    with pytest.warns(CaptureWarning, match="takes 'x' as bytes"):
        report = fgcompile.verify(tmp_path / "artifact.onnx", path, x.astype(np.float32))
    assert report.passed
    assert any("ONNX Runtime on the file" in check.name for check in report.checks)


def test_bytes_that_are_compared_stay_bytes(tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    nodes = [node("Equal", "x seven", "e"), node("Cast", "e", "f", to=1), node("ReduceSum", "f", "y", keepdims=0)]
    onnx.save(model(graph(nodes, {"x": ("uint8", ["n", 4])}, ["y"], {"seven": np.uint8(7)})), path)
    with pytest.raises(ScoreError, match="neither a floating-point input nor an embedding"):
        fgcompile.compile(path)
