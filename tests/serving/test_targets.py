"""Targets of several axes, and several in a call, through the server and both protocols' clients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import fgcompile
from benchmarks.serving import served
from fgcompile.errors import InputError
from fgcompile.serving.admission import Limits, admit
from fgcompile.serving.triton.configuration import RUNTIMES, Deployment, configure
from tests.serving.served import grpc, http


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A segmenter that answers any number of questions about its pixels."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 1)).eval()
    path = tmp_path_factory.mktemp("served") / "segmenter.onnx"
    fgcompile.compile(model, torch.randn(1, 3, 5, 6), targets="dynamic").save(path)
    return path


@pytest.fixture(scope="module")
def three(path: Path) -> Path:
    """A classifier of three questions a call, with all that there is to return."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(5)).eval()
    model(torch.zeros(1, 3, 5, 6))
    outputs = ("logits", "saliency", "contributions", "residual", "input_gradient")
    fgcompile.compile(model, torch.randn(1, 3, 5, 6), targets=3, outputs=outputs).save(path.with_name("three.onnx"))
    return path.with_name("three.onnx")


@pytest.fixture(scope="module")
def server(path: Path, three: Path) -> Iterator[Any]:
    with served.serving(path, path.with_name("log"), str(three), "--max-batch", "8") as running:
        yield running


@pytest.mark.parametrize("protocol", [http, grpc], ids=["http", "grpc"])
def test_clients_ask_several_questions_of_several_axes(path: Path, server: Any, protocol: Any) -> None:
    session, random = fgcompile.load(path), np.random.default_rng(0)
    client = protocol.InferenceServerClient(server.rest if protocol is http else server.grpc)
    described = client.get_model_metadata("segmenter")
    inputs = described["inputs"] if protocol is http else described.inputs
    shapes = [each["shape"] if protocol is http else list(each.shape) for each in inputs]
    assert [[int(size) for size in shape] for shape in shapes] == [[-1, 3, 5, 6], [-1, -1, 3]]
    for batch, count in ((1, 1), (2, 4), (4, 2)):
        x = random.normal(size=(batch, 3, 5, 6)).astype(np.float32)
        targets = np.stack([random.integers(0, size, (batch, count)) for size in (3, 5, 6)], -1)
        answer = client.infer("segmenter", served.as_inputs(protocol, x, targets))
        for name, value in session.run({"x": x, "target": targets}).items():
            np.testing.assert_array_equal(answer.as_numpy(name), value)


@pytest.mark.parametrize("protocol", [http, grpc], ids=["http", "grpc"])
@pytest.mark.parametrize("target", [None, [[4, -1, 0], [0, 1, 2]]], ids=["the largest", "three"])
def test_without_a_target_the_largest_are_explained(three: Path, server: Any, protocol: Any, target: Any) -> None:
    session, x = fgcompile.load(three), np.random.default_rng(1).normal(size=(2, 3, 5, 6)).astype(np.float32)
    client = protocol.InferenceServerClient(server.rest if protocol is http else server.grpc)
    inputs = served.as_inputs(protocol, x, np.array(target or [[0]]))
    answer = client.infer("three", inputs if target else inputs[:1])
    explained = session.explain(x, target)
    assert explained.saliency is not None
    for name in ("logits", "saliency", "contributions", "residual", "input_gradient"):
        np.testing.assert_array_equal(answer.as_numpy(name), getattr(explained, name))
    assert target or explained.target.tolist() == np.argsort(-explained.logits)[:, :3].tolist()  # type: ignore[operator, union-attr]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (np.zeros((1, 3), np.int64), r"target has shape \(1, 3\)"),
        (np.full((1, 1, 3), 5), r"target \(5, 5, 5\) is out of range: give as class an index from 0 to 2"),
        (np.zeros((1, 9, 3), np.int64), "9 targets for each of 1 samples, 8 are allowed in all"),
    ],
)
def test_what_is_no_target_is_refused_in_a_line(server: Any, target: np.ndarray, message: str) -> None:
    client = http.InferenceServerClient(server.rest)
    with pytest.raises(Exception, match=message):
        client.infer("segmenter", served.as_inputs(http, np.zeros((1, 3, 5, 6), np.float32), target))


def test_admission_counts_every_target_as_a_row(path: Path) -> None:
    metadata, x = fgcompile.load(path).metadata, np.zeros((2, 3, 5, 6), np.float32)
    assert admit({"x": x, "target": np.zeros((2, 4, 3), np.int64)}, metadata, Limits(batch=8))["target"].shape == (
        2,
        4,
        3,
    )
    with pytest.raises(InputError, match="send fewer at once"):
        admit({"x": x, "target": np.zeros((2, 5, 3), np.int64)}, metadata, Limits(batch=8))


def test_triton_is_told_of_the_axes(path: Path) -> None:
    described = configure(fgcompile.load(path).metadata, RUNTIMES["onnx"], Deployment())
    inputs: Any = described["input"]
    assert [(each["name"], each["dims"]) for each in inputs] == [("x", [3, 5, 6]), ("target", [-1, 3])]
