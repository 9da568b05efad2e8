"""If, Loop and Scan that are known when a graph is built, against ONNX Runtime; those that are not are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

import fgcompile
from fgcompile.compiler.capture.onnx.read import read_onnx
from fgcompile.errors import CaptureError
from tests.compiler.capture.onnx.files import assert_same, graph, model, node, onnx_runtime, random

WEIGHT = random(3, 3, seed=2) / 2
NUMBER, TRUTH = ("int64", []), ("bool", [])


def _step(*outputs: str) -> onnx.GraphProto:
    """A body of a loop that computes ``tanh(h W)``, with a weight of the scope around it."""
    nodes = [node("MatMul", "h w", "hw"), node("Tanh", "hw", "new"), node("Identity", "new", "row")]
    nodes += [node("Identity", "go", "goes")]
    return graph(nodes, {"i": NUMBER, "go": TRUTH, "h": ("float32", None)}, list(outputs))


def test_loop_of_so_many_steps(tmp_path: Path) -> None:
    loop = node("Loop", "count yes x", "last rows", body=_step("goes", "new", "row"))
    constants = {"count": np.int64(3), "yes": np.bool_(True), "w": WEIGHT}
    proto = model(graph([loop], {"x": ("float32", ["n", 3])}, ["last", "rows"], constants))
    assert_same(proto, {"x": random(2, 3)}, tmp_path)


def test_the_number_of_a_step_has_the_axes_that_the_body_says(tmp_path: Path) -> None:
    """One of size 1, as the exporter by TorchScript writes it: it is where a slice starts."""
    nodes = [node("Add", "i one", "end"), node("Slice", "x i end one", "part"), node("Mul", "h part", "new")]
    inputs = {"i": ("int64", [1]), "go": ("bool", [1]), "h": ("float32", None)}
    body = graph([*nodes, node("Identity", "go", "goes")], inputs, ["goes", "new"])
    constants = {"count": np.int64(3), "yes": np.array([True]), "one": np.array([1])}
    whole = graph([node("Loop", "count yes x", "y", body=body)], {"x": ("float32", ["n", 3])}, ["y"], constants)
    assert_same(model(whole), {"x": random(2, 3)}, tmp_path)


def test_loop_while_a_known_number_is_small(tmp_path: Path) -> None:
    nodes = [node("MatMul", "h w", "new"), node("Add", "k one", "more"), node("Less", "more most", "goes")]
    body = graph(nodes, {"i": NUMBER, "go": TRUTH, "h": ("float32", None), "k": NUMBER}, ["goes", "new", "more"])
    loop = node("Loop", "_ yes x zero", "y k_last", body=body)
    constants = {"yes": np.bool_(True), "w": WEIGHT, "zero": 0, "one": 1, "most": 3}
    proto = model(graph([loop], {"x": ("float32", ["n", 3])}, ["y", "k_last"], constants))
    assert_same(proto, {"x": random(2, 3)}, tmp_path)


def test_loop_that_is_left_early(tmp_path: Path) -> None:
    nodes = [node("MatMul", "h w", "new"), node("Less", "i one", "goes")]
    body = graph(nodes, {"i": NUMBER, "go": TRUTH, "h": ("float32", None)}, ["goes", "new"])
    loop = node("Loop", "count yes x", "y", body=body)
    constants = {"count": np.int64(9), "yes": np.bool_(True), "w": WEIGHT, "one": np.int64(1)}
    proto = model(graph([loop], {"x": ("float32", ["n", 3])}, ["y"], constants))
    assert_same(proto, {"x": random(2, 3)}, tmp_path)


def test_loop_that_collects_a_sequence(tmp_path: Path) -> None:
    nodes = [node("Gather", "x i", "part", axis=1), node("SequenceInsert", "parts part", "more")]
    nodes += [node("Identity", "go", "goes")]
    body = graph(nodes, {"i": NUMBER, "go": TRUTH}, ["goes", "more"])
    parts = onnx.helper.make_tensor_sequence_value_info("parts", onnx.TensorProto.FLOAT, None)
    body.input.append(parts)
    nodes = [node("SequenceEmpty", "", "none"), node("Loop", "count yes none", "all", body=body)]
    nodes += [node("ConcatFromSequence", "all", "y", axis=0, new_axis=1)]
    constants = {"count": np.int64(3), "yes": np.bool_(True)}
    proto = model(graph(nodes, {"x": ("float32", ["n", 3])}, ["y"], constants))
    assert_same(proto, {"x": random(2, 3)}, tmp_path)


@pytest.mark.parametrize("backwards", [0, 1])
def test_scan(tmp_path: Path, backwards: int) -> None:
    nodes = [node("MatMul", "xt w", "xw"), node("Add", "xw h", "sum"), node("Tanh", "sum", "new")]
    nodes += [node("Identity", "new", "row")]
    body = graph(nodes, {"h": ("float32", None), "xt": ("float32", None)}, ["new", "row"])
    how = {"num_scan_inputs": 1, "scan_input_axes": [1], "scan_output_axes": [-1]}
    directions = {"scan_input_directions": [backwards], "scan_output_directions": [1 - backwards]}
    scan = node("Scan", "first x", "last rows", body=body, **how, **directions)
    nodes = [node("ReduceMax", "x axes", "first", keepdims=0), scan]
    constants: dict[str, Any] = {"w": WEIGHT, "axes": [1]}
    proto = model(graph(nodes, {"x": ("float32", ["n", 4, 3])}, ["last", "rows"], constants))
    assert_same(proto, {"x": random(2, 4, 3)}, tmp_path)


def _chosen_by(condition: list[onnx.NodeProto], **constants: Any) -> onnx.ModelProto:
    """``x W`` or ``−(x W) W``, the latter by an inner If, whose condition is constant."""
    inner = graph([node("MatMul", "a w", "b")], {}, ["b"]), graph([node("Nonsense", "a", "b2", "nowhere")], {}, ["b2"])
    then = graph([node("MatMul", "flat w", "t")], {}, ["t"])
    nodes = [node("MatMul", "flat w", "aw"), node("Neg", "aw", "a")]
    nodes += [node("If", "yes", "e", then_branch=inner[0], else_branch=inner[1])]
    other = graph(nodes, {}, ["e"])
    nodes = [node("Flatten", "x", "flat"), *condition, node("If", "c", "y", then_branch=then, else_branch=other)]
    constants = {"w": WEIGHT, "yes": np.bool_(True), **constants}
    return model(graph(nodes, {"x": ("float32", ["n", 3])}, ["y"], constants))


@pytest.mark.parametrize("most", [2, 5])
def test_if_of_a_size(tmp_path: Path, most: int) -> None:
    size = [node("Shape", "x", "s", start=1), node("Less", "s most", "cs"), node("Squeeze", "cs", "c")]
    proto = _chosen_by(size, most=[most])
    onnx.save(proto, tmp_path / "model.onnx")
    x = random(2, 3)
    flat = x @ WEIGHT
    y = read_onnx(tmp_path / "model.onnx")(torch.from_numpy(x))
    torch.testing.assert_close(y, torch.from_numpy(flat if most == 5 else -flat @ WEIGHT))


def test_if_of_values_is_refused_by_name(tmp_path: Path) -> None:
    value = [node("ReduceMax", "flat", "m", keepdims=0), node("Less", "m most", "c")]
    onnx.save(_chosen_by(value, most=np.float32(1)), tmp_path / "model.onnx")
    with pytest.raises(CaptureError, match="If 'If_y' takes its condition from values that the model is given"):
        read_onnx(tmp_path / "model.onnx")(torch.ones(2, 3))


def test_any_batch(tmp_path: Path) -> None:
    """A loop, in a graph with a dynamic batch."""
    loop = node("Loop", "count yes x", "last rows", body=_step("goes", "new", "row"))
    nodes = [loop, node("ReduceSum", "rows first", "y", keepdims=0)]
    constants = {"count": np.int64(2), "yes": np.bool_(True), "w": WEIGHT, "first": [0]}
    path, artifact = tmp_path / "model.onnx", tmp_path / "artifact.onnx"
    onnx.save(model(graph(nodes, {"x": ("float32", ["n", 3])}, ["y"], constants)), path)
    fgcompile.compile(read_onnx(path), torch.from_numpy(random(2, 3))).save(artifact)
    with fgcompile.load(artifact) as session:
        for batch in (1, 2, 5):
            x = random(batch, 3, seed=batch)
            explanation = session.explain(x, target=np.zeros(batch, np.int64))
            np.testing.assert_allclose(explanation.logits, onnx_runtime(path).run(None, {"x": x})[0], atol=1e-6)
