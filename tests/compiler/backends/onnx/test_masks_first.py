"""Masks that only the gradients read are made while the forward pass goes by, and what is computed is the same."""

from __future__ import annotations

import json
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
from fgcompile.compiler.ir.runner import Pass


class Residual(nn.Module):
    """Activations between bounds and without, a sum that two of them read."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.first, self.second = (nn.Conv2d(c, 16, 3, padding=1) for c in (3, 16, 16))
        self.head = nn.Linear(16, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.stem(x))
        x = torch.relu(x + nn.functional.relu6(self.first(x)))
        return self.head(torch.relu(self.second(x)).mean((2, 3)))


def compiled(path: Path, monkeypatch: pytest.MonkeyPatch | None = None, **options: Any) -> Path:
    """The artifact of one network; with a monkeypatch as it is without the pass."""
    torch.manual_seed(0)
    model, x = Residual().eval(), torch.randn(1, 3, 24, 24)
    if monkeypatch is not None:
        monkeypatch.setattr(emit, "masks_first", Pass("nothing", lambda model: False))
    fgcompile.compile(model, x, psi="fullgrad", rules="taylor", **options).save(path)
    return path


def order(path: Path, folder: Path) -> list[str]:
    """The names of what ONNX Runtime ran, in that order."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.enable_profiling, options.profile_file_prefix = True, str(folder / "profile")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    session.run(None, {"x": np.ones((1, 3, 24, 24), np.float32), "target": np.zeros(1, np.int64)})
    events = json.loads(Path(session.end_profiling()).read_text())
    nodes = [event for event in events if event.get("cat") == "Node" and event["name"].endswith("kernel_time")]
    return [event["args"]["op_name"] for event in nodes]


def test_masks_are_made_before_the_next_layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = order(compiled(tmp_path / "first.onnx"), tmp_path)
    last = order(compiled(tmp_path / "last.onnx", monkeypatch), tmp_path)

    def before(operators: list[str]) -> list[int]:
        """How many convolutions ran before each comparison with zero."""
        return [operators[:at].count("Conv") for at, operator in enumerate(operators) if operator == "Greater"]

    assert before(first) == [1, 2, 2, 3]
    assert min(before(last)) >= 3  # or the pass has no use any more


def test_results_are_the_same_to_the_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = ("logits", "saliency", "contributions", "input_gradient")
    paths = [
        compiled(tmp_path / "first.onnx", outputs=outputs),
        compiled(tmp_path / "last.onnx", monkeypatch, outputs=outputs),
    ]
    sessions = [onnxruntime.InferenceSession(path) for path in paths]
    for batch in (1, 3):
        x = np.random.default_rng(0).standard_normal((batch, 3, 24, 24)).astype(np.float32)
        one, other = (session.run(outputs, {"x": x, "target": np.arange(batch)}) for session in sessions)
        for ours, theirs in zip(one, other, strict=True):
            assert np.array_equal(ours, theirs)
            assert ours.shape[0] == batch


def shapes(path: Path) -> int:
    """How many masks the logits wait for."""
    graph = onnx.load(path).graph
    producers = {name: node for node in graph.node for name in node.output}
    node = producers["logits"]
    if node.op_type != "Reshape":
        return 0
    return len(producers[producers[node.input[1]].input[0]].input)


@pytest.mark.slow
def test_only_what_is_kept_and_large_is_waited_for(tmp_path: Path) -> None:
    assert shapes(compiled(tmp_path / "large.onnx")) == 5  # one a ReLU, two a ReLU6
    for name, options in (("demand", {"on_demand": True}), ("batch", {"batch": 1})):
        assert shapes(compiled(tmp_path / f"{name}.onnx", **options)) == 0
    torch.manual_seed(0)
    small = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)).eval()
    fgcompile.compile(small, torch.randn(2, 4)).save(tmp_path / "small.onnx")
    assert shapes(tmp_path / "small.onnx") == 0
