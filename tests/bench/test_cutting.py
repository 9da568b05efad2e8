"""The forward pass that is cut out of an artifact returns the artifact's own logits, and is smaller."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.artifact.file import read_artifact
from fgcompile.artifact.metadata import Metadata, loads
from fgcompile.bench.cutting import cut_forward, obstacle
from fgcompile.runtime.session import open_session
from tests.support.networks import randomised
from tests.support.sweeps import crossed, few
from tests.support.tiny_artifacts import dumps, onnx_artifact, tiny_metadata, torchscript_artifact

SUFFIXES = {"onnx": ".onnx", "torchscript": ".pt"}
OPTIONS: dict[str, dict[str, object]] = {
    "default": {},
    "biases": {"biases": "inputs"},
    "predicted": {"target": "predicted"},
    "logits": {"outputs": ("logits",)},
    "noise": {"method": "smooth_fullgrad"},
}


class Network(nn.Module):
    """A convolution that is used twice, BatchNorm, pooling and a gate."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.shared, self.head = nn.Conv2d(4, 4, 3, padding=1), nn.Linear(4, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.max_pool2d(torch.relu(self.norm(self.stem(x))), 2)
        x = torch.relu(self.shared(torch.relu(self.shared(x))))
        return self.head((x * torch.sigmoid(x)).mean((2, 3)))


def tiny(format: str, **changes: object) -> tuple[bytes, Metadata]:
    metadata = tiny_metadata(format, **changes)
    content = onnx_artifact(metadata) if format == "onnx" else torchscript_artifact(metadata)
    return content, loads(dumps(metadata), "artifact")


def size(format: str, content: bytes) -> int:
    """The number of nodes of a graph."""
    if format == "onnx":
        return len(onnx.load_from_string(content).graph.node)
    return len(list(torch.jit.freeze(torch.jit.load(io.BytesIO(content)).eval()).graph.nodes()))


@pytest.mark.parametrize(("kind", "format"), few(crossed(OPTIONS, SUFFIXES), 2))
def test_the_forward_returns_the_artifact_s_logits(kind: str, format: str, tmp_path: Path) -> None:
    options, path = OPTIONS[kind], tmp_path / f"model{SUFFIXES[format]}"
    fgcompile.compile(randomised(Network()), torch.randn(2, 3, 8, 8), format=format, **options).save(path)
    content, metadata = read_artifact(path)
    forward = cut_forward(content, metadata)
    names = [spec["name"] for spec in forward.metadata["inputs"]]
    assert names[0] == "x"
    assert "target" not in names
    assert len(names) == (6 if "biases" in options else 1)
    session = open_session(forward.content, forward.metadata, "forward")
    whole = fgcompile.load(path)
    for batch in (1, 3):
        x = np.random.default_rng(batch).normal(size=(batch, 3, 8, 8)).astype(np.float32)
        np.testing.assert_array_equal(session.run({"x": x})["logits"], whole.explain(x).logits)
    assert len(forward.content) < len(content)
    if "saliency" in options.get("outputs", ("saliency",)):
        assert size(format, forward.content) < size(format, content) / 2


@pytest.mark.parametrize("format", SUFFIXES)
def test_weights_that_only_the_explanation_needs_are_gone(format: str) -> None:
    content, metadata = tiny(format)
    forward = cut_forward(content, metadata)
    x = np.ones((2, 3, 4, 4), np.float32)
    logits = open_session(content, metadata, "whole").explain(x).logits
    np.testing.assert_array_equal(
        open_session(forward.content, forward.metadata, "cut").run({"x": x})["logits"], logits
    )
    if format == "onnx":
        model = onnx.load_from_string(forward.content)
        onnx.checker.check_model(model, full_check=True)
        assert [node.op_type for node in model.graph.node] == ["ReduceMean", "MatMul"]
        assert [tensor.name for tensor in model.graph.initializer] == ["pixels", "weight"]
        assert not model.metadata_props


def test_a_format_without_a_cutter_and_an_artifact_without_logits_say_why() -> None:
    assert obstacle(tiny("onnx")[1]) is None
    assert obstacle(tiny_metadata("pt3")) == "the forward pass cannot be cut out of a pt3 artifact"
    assert "compile with on_demand=True" in obstacle(loads(dumps(tiny_metadata("pt2")), "artifact"))
    silent = tiny("onnx", outputs=tiny_metadata()["outputs"][1:])[1]
    assert obstacle(silent) == "the artifact does not return its logits"


@pytest.mark.slow
def test_a_package_on_demand_has_its_forward_already(tmp_path: Path) -> None:
    path = tmp_path / "model.pt2"
    fgcompile.compile(randomised(Network()), torch.randn(2, 3, 8, 8), format="pt2", on_demand=True).save(path)
    content, metadata = read_artifact(path)
    assert obstacle(metadata) is None
    forward = cut_forward(content, metadata)
    session = open_session(forward.content, forward.metadata, "forward")
    feeds = {"x": np.ones((3, 3, 8, 8), np.float32), "target": np.array([-1, 0, 1])}
    assert list(session.run(feeds)) == ["logits"]
    np.testing.assert_array_equal(session.run(feeds)["logits"], fgcompile.load(path).predict(feeds["x"]))


def test_a_text_s_forward_pass_has_no_tokenizer_and_needs_none() -> None:
    content, metadata = tiny("onnx")
    spec = {"digest": "sha256:0", "longest": 4}
    forward = cut_forward(content, {**metadata, "tokenizer": spec})  # type: ignore[typeddict-item]
    assert "tokenizer" not in forward.metadata
