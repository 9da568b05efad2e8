"""Forms in which tf2onnx writes slices and one-hot numbers, at any batch, beside ONNX Runtime on the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper

import fgcompile
from fgcompile.compiler.capture.capture import capture
from fgcompile.compiler.capture.onnx.read import read_onnx
from fgcompile.errors import InputError
from tests.compiler.capture.onnx.files import assert_same, graph, model, node, onnx_runtime, random

NONE, FAR = np.zeros(3, np.int64), np.full(3, 10**9, np.int64)
SLICES: dict[str, tuple[list[onnx.NodeProto], dict[str, Any]]] = {
    "far": ([node("Slice", "x starts ends", "y")], {"starts": NONE, "ends": FAR}),
    "far before the first": ([node("Slice", "x starts ends", "y")], {"starts": -FAR, "ends": FAR}),
    "a part of one axis": (
        [node("Slice", "x starts ends", "y")],
        {"starts": np.array([0, 1, 0]), "ends": np.array([10**9, 3, 10**9])},
    ),
    "computed": (
        [node("Shape", "x", "n", end=1), node("Concat", "n rest", "ends", axis=0), node("Slice", "x starts ends", "y")],
        {"starts": NONE, "rest": np.array([4, 3])},
    ),
}


@pytest.mark.parametrize("form", SLICES)
def test_a_slice_of_all_samples_fixes_no_batch(form: str, tmp_path: Path) -> None:
    nodes, constants = SLICES[form]
    path = tmp_path / "model.onnx"
    onnx.save(model(graph(nodes, {"x": ("float32", ["n", 4, 3])}, ["y"], constants)), path)
    captured = capture(read_onnx(path), torch.from_numpy(random(2, 4, 3)))
    for batch in (1, 2, 5):
        x = random(batch, 4, 3, seed=batch)
        (y,) = captured.graph_module(torch.from_numpy(x))
        np.testing.assert_array_equal(y, onnx_runtime(path).run(None, {"x": x})[0])


LETTERS, LENGTH, CLASSES = 300, 6, 3
TABLE = {"letters": np.arange(LETTERS, dtype=np.int32)[None, None], "w": random(LETTERS, CLASSES)}
TABLE |= {"last": np.array([-1]), "line": np.array([1]), "b": random(CLASSES, seed=3)}


def encoded(path: Path) -> Path:
    """``Σ_l w[ids[l]] + b``, by a comparison with all letters."""
    nodes = [
        *[node("Unsqueeze", "ids last", "column"), node("Equal", "column letters", "same")],
        *[node("Cast", "same", "hot", to=1), node("MatMul", "hot w", "rows")],
        *[node("Add", "rows b", "sums"), node("ReduceSum", "sums line", "y", keepdims=0)],
    ]
    onnx.save(model(graph(nodes, {"ids": ("int32", ["n", LENGTH])}, ["y"], TABLE)), path)
    return path


def test_a_comparison_with_all_numbers_is_an_embedding(tmp_path: Path) -> None:
    path = encoded(tmp_path / "model.onnx")
    fgcompile.compile(path, outputs=("logits", "saliency", "bias_gradients")).save(tmp_path / "artifact.onnx")
    ids = np.random.default_rng(0).integers(LETTERS, size=(3, LENGTH)).astype(np.int32)
    explanation = fgcompile.load(tmp_path / "artifact.onnx").explain(ids, target=1)
    np.testing.assert_allclose(explanation.logits, onnx_runtime(path).run(None, {"ids": ids})[0], rtol=1e-5)
    assert explanation.saliency.shape == (3, 1, LENGTH)
    # Each letter's own share of the score, which is linear in its row.
    (embedding,) = (value for name, value in explanation.bias_gradients.items() if "hot" in name.lower())
    np.testing.assert_allclose(embedding.sum(-1), TABLE["w"][ids, 1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("constant", ["letters", "w"])
def test_other_comparisons_stay_what_they_are(constant: str, tmp_path: Path) -> None:
    """Of numbers that are none of a table, and of as many numbers as there are letters."""
    letters = np.arange(5)
    ids = {"letters": np.array([[[-1], [7]], [[0], [4]]]), "w": np.array([[0, 2, 2, 3, 9]])}[constant]
    nodes = [node("Equal", "letters ids", "same"), node("Cast", "same", "y", to=1)]
    proto = model(graph(nodes, {"ids": ("int64", list(ids.shape))}, ["y", "same"], {"letters": letters}))
    assert_same(proto, {"ids": ids}, tmp_path)


@pytest.mark.parametrize("numbers", [1, 4])
@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_features_are_scaled(numbers: int, dtype: str, tmp_path: Path) -> None:
    ends: dict[str, Any] = {"offset": random(numbers, seed=1).tolist(), "scale": random(numbers, seed=2).tolist()}
    proto = model(graph([node("Scaler", "x", "y", "ai.onnx.ml", **ends)], {"x": (dtype, ["n", 4])}, ["y"]))
    proto.opset_import.append(helper.make_opsetid("ai.onnx.ml", 3))
    assert_same(proto, {"x": (5 * random(3, 4)).astype(dtype)}, tmp_path)


def test_examples_that_do_not_fit_are_said_of_the_node(tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    inputs = {name: ("float32", [1, None]) for name in ("a", "b")}
    onnx.save(model(graph([node("Add", "a b", "y")], inputs, ["y"])), path)
    with pytest.raises(InputError, match=r"Add 'Add_y' of network does not take what it gets .* --input"):
        fgcompile.compile(path, {"a": torch.ones(1, 3), "b": torch.ones(1, 4)})


def test_an_example_of_an_input_that_nothing_reads_is_said(tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    inputs = {name: ("float32", ["n", 3]) for name in ("x", "mask")}
    onnx.save(model(graph([node("Tanh", "x", "y")], inputs, ["y"])), path)
    with pytest.raises(InputError, match="nothing that is explained of network is computed of 'mask'"):
        fgcompile.compile(path, {"x": torch.ones(1, 3), "mask": torch.ones(1, 3)})
