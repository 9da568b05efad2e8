"""A file that was written for one batch size is compiled for any, held to ONNX Runtime on the file, part by part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

import fgcompile
from fgcompile.errors import CaptureError
from tests.compiler.capture.onnx.files import Array, graph, model, node, onnx_runtime, random
from tests.support.sweeps import few

IMAGE = [node("Conv", "x w b", "c", pads=[1] * 4), node("Relu", "c", "r")]
WEIGHTS: dict[str, Any] = {"w": random(4, 3, 3, 3), "b": random(4, seed=1), "m": random(4, 5, seed=2)}


def shape(*sizes: int) -> Array:
    return np.array(sizes, dtype=np.int64)


def saved(path: Path, nodes: Sequence[onnx.NodeProto], batch: int, constants: Mapping[str, Any]) -> Path:
    for index, each in enumerate(nodes):
        each.name = f"node_{index}"
    described = graph(nodes, {"x": ("float32", [batch, 3, 4, 4])}, ["y"], {**WEIGHTS, **constants})
    onnx.save(model(described), path)
    return path


def flat(batch: int) -> dict[str, Any]:
    return {"one": shape(batch, 4, 16), "two": shape(batch, -1), "n": random(64, 3, seed=5)}


CASES: dict[str, tuple[list[onnx.NodeProto], dict[str, Any]]] = {
    "shapes": (
        [node("Reshape", "r one", "s"), node("Reshape", "s two", "f"), node("MatMul", "f n", "y")],
        flat(1),
    ),
    "class token": (
        [
            node("Reshape", "r one", "s"),
            node("Concat", "token s", "t", axis=1),
            node("Reshape", "t two", "f"),
            node("MatMul", "f n", "y"),
        ],
        {**flat(1), "token": random(1, 2, 16, seed=6), "n": random(96, 3, seed=5)},
    ),
    "folded and back": (
        [
            node("Transpose", "r", "t", perm=[2, 3, 0, 1]),  # samples between each other: (h w n) c
            node("Reshape", "t rows", "s"),
            node("MatMul", "s m", "p"),
            node("Reshape", "p apart", "q"),
            node("Transpose", "q", "u", perm=[1, 0, 2]),
            node("Reshape", "u two", "f"),
            node("MatMul", "f n", "y"),
        ],
        {"rows": shape(-1, 4), "apart": shape(16, 1, 5), "two": shape(1, -1), "n": random(80, 3, seed=5)},
    ),
    "folded by its sizes": (
        [
            node("Transpose", "r", "t", perm=[2, 3, 0, 1]),
            node("Reshape", "t rows", "s"),  # (16, 4) as (16, 4 n) too, which the product does not take
            node("MatMul", "s m", "p"),
            node("Reshape", "p apart", "q"),
            node("ReduceMean", "q ahead", "y", keepdims=0),
        ],
        {"rows": shape(16, 4), "apart": shape(16, 1, 5), "ahead": shape(0)},
    ),
    "a field of places": (
        [
            node("AffineGrid", "turn sizes", "g"),
            node("GridSample", "r g", "s"),
            node("ReduceMean", "s space", "y", keepdims=0),
        ],
        {"turn": random(1, 2, 3, seed=7), "sizes": shape(1, 4, 4, 4), "space": shape(2, 3)},
    ),
    "a slice": (
        [
            node("Slice", "r firsts ends", "s"),
            node("Reshape", "s two", "f"),
            node("MatMul", "f n", "y"),
        ],
        {**flat(1), "firsts": shape(0, 1, 0, 0), "ends": shape(1, 3, 4, 4), "n": random(32, 3, seed=5)},
    ),
    "a place": (
        [node("GatherND", "r place", "s"), node("MatMul", "s m", "y")],
        {"place": np.array([[0, 2, 1]]), "m": random(4, 5, seed=2)},
    ),
    "parts that are written": (
        [
            node("ScatterND", "r places part", "s"),
            node("Reshape", "s two", "f"),
            node("MatMul", "f n", "y"),
        ],
        {**flat(1), "places": np.array([[[0, 2], [0, 3]]]), "part": random(1, 2, 4, 4, seed=6)},
    ),
    "heads": (
        # Four heads beside the batch: (1 4) h w.
        [node("Reshape", "r heads", "s"), node("Reshape", "s two", "f"), node("MatMul", "f n", "y")],
        {**flat(1), "heads": shape(4, 4, 4)},
    ),
}


def expected(path: Path, x: Array, batch: int) -> Array:
    session = onnx_runtime(path)
    return np.concatenate([session.run(None, {"x": x[at : at + batch]})[0] for at in range(0, len(x), batch)])


@pytest.mark.parametrize("name", few(CASES, 2))
def test_shapes_and_constants_follow_the_batch(tmp_path: Path, name: str) -> None:
    nodes, constants = CASES[name]
    path = saved(tmp_path / "network.onnx", [*IMAGE, *nodes], 1, constants)
    fgcompile.compile(path).save(tmp_path / "artifact.onnx")
    session = fgcompile.load(tmp_path / "artifact.onnx")
    for count in (1, 2, 5):
        x = random(count, 3, 4, 4, seed=count)
        explanation = session.explain(x)
        np.testing.assert_allclose(explanation.logits, expected(path, x, 1), rtol=1e-5, atol=1e-5)
        alone = [session.explain(one[None]).saliency[0] for one in x]
        np.testing.assert_allclose(explanation.saliency, alone, rtol=1e-4, atol=1e-5)
    assert fgcompile.verify(tmp_path / "artifact.onnx", path, torch.from_numpy(x)).passed


def test_a_batch_of_two_is_one_too(tmp_path: Path) -> None:
    nodes = [*IMAGE, node("Reshape", "r one", "s"), node("Reshape", "s two", "f"), node("MatMul", "f n", "y")]
    path = saved(tmp_path / "network.onnx", nodes, 2, flat(2))
    fgcompile.compile(path).save(tmp_path / "artifact.onnx")
    x = random(4, 3, 4, 4)
    explanation = fgcompile.load(tmp_path / "artifact.onnx").explain(x)
    np.testing.assert_allclose(explanation.logits, expected(path, x, 2), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("nodes", "constants"),
    [
        ([node("Squeeze", "f first", "s"), node("MatMul", "s n", "y")], {"first": shape(0)}),
        ([node("ReduceMean", "f first", "s", keepdims=1), node("MatMul", "s n", "y")], {"first": shape(0)}),
        ([node("Softmax", "f", "s", axis=0), node("MatMul", "s n", "y")], {}),
    ],
    ids=["no axis", "a mean over samples", "a softmax over samples"],
)
def test_the_node_that_fixes_the_batch_is_named(
    tmp_path: Path, nodes: list[onnx.NodeProto], constants: dict[str, Any]
) -> None:
    ahead = [*IMAGE, node("Reshape", "r one", "q"), node("Reshape", "q two", "f")]
    path = saved(tmp_path / "network.onnx", [*ahead, *nodes], 1, {**flat(1), **constants})
    named = "node_4" if nodes[0].op_type != "Squeeze" else "node_[45]"
    with pytest.raises(CaptureError, match=rf"'{named}' of network fixes the batch at 1"):
        fgcompile.compile(path)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.filterwarnings("error::fgcompile.errors.CaptureWarning")  # as that nothing was compared
def test_a_file_of_one_sample_is_taken_as_it_is_where_a_batch_is_asked_for(tmp_path: Path, batch: int) -> None:
    ahead = [*IMAGE, node("Reshape", "r one", "q"), node("Reshape", "q two", "f")]
    nodes = [*ahead, node("ReduceMean", "f first", "s", keepdims=1), node("MatMul", "s n", "y")]
    path = saved(tmp_path / "network.onnx", nodes, 1, {**flat(1), "first": shape(0)})
    with pytest.raises(CaptureError, match=r"fixes the batch at 1: .*or compile it for one sample a call, batch=1"):
        fgcompile.compile(path)
    if batch > 1:
        with pytest.raises(CaptureError, match="batch of 2"):
            fgcompile.compile(path, batch=batch)
        return
    artifact = fgcompile.compile(path, batch=batch)
    assert artifact.metadata["batch"] == {"size": 1, "alone": True}
    x = random(3, 3, 4, 4)
    explanation = fgcompile.load(artifact).explain(x)
    np.testing.assert_allclose(explanation.logits, expected(path, x, 1), rtol=1e-5, atol=1e-5)
    artifact.save(tmp_path / "artifact.onnx")
    assert fgcompile.verify(tmp_path / "artifact.onnx", path, x).passed
