"""Each form that operators had in older opsets, from 7 on, against ONNX Runtime, which runs the file as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from fgcompile.compiler.capture.onnx.read import read_onnx
from fgcompile.errors import SourceError
from tests.compiler.capture.onnx.files import assert_same, graph, model, node, random

IMAGE = (2, 3, 4, 4)
NORM = {"g": random(3, seed=3), "b": random(3, seed=4), "m": random(3, seed=5), "v": np.abs(random(3, seed=6))}
SCALES = np.float32([1, 1, 2, 1.5])
SMALLER = np.float32([1, 1, 0.7, 0.5])
FOR_NN: dict[str, Any] = {"coordinate_transformation_mode": "tf_half_pixel_for_nn", "nearest_mode": "floor"}

CASES: dict[str, tuple[int, onnx.NodeProto, tuple[int, ...], dict[str, Any]]] = {
    "batch_norm": (7, node("BatchNormalization", "x g b m v", "y"), IMAGE, NORM),
    "cast": (7, node("Cast", "x", "y", to=7), (2, 3), {}),
    "clip": (7, node("Clip", "x", "y", min=-0.2, max=0.5), (2, 3), {}),
    "clip_above": (10, node("Clip", "x", "y", max=0.5), (2, 3), {}),
    "dropout": (7, node("Dropout", "x", "y", ratio=0.3), (2, 3), {}),
    "grid": (16, node("GridSample", "x g", "y", mode="bilinear"), IMAGE, {"g": random(2, 3, 3, 2, seed=7)}),
    "grid_cubic": (16, node("GridSample", "x g", "y", mode="bicubic"), IMAGE, {"g": random(2, 3, 3, 2, seed=7)}),
    "groups": (
        18,
        node("GroupNormalization", "x g b", "y", num_groups=2),
        (2, 4, 3),
        {"g": random(2, seed=3), "b": random(2, seed=4)},
    ),
    "hardmax": (9, node("Hardmax", "x", "y", axis=1), (2, 3, 4), {}),
    "log_softmax": (9, node("LogSoftmax", "x", "y", axis=-1), (2, 3, 4), {}),
    "pad": (7, node("Pad", "x", "y", pads=[0, 0, 1, 0, 0, 0, 0, 2], value=0.5), IMAGE, {}),
    "pad_edge": (10, node("Pad", "x", "y", pads=[0, 0, 1, 0, 0, 0, 0, 2], mode="edge"), IMAGE, {}),
    "reduce_mean": (11, node("ReduceMean", "x", "y", axes=[2, -1], keepdims=0), IMAGE, {}),
    "reduce_sum": (11, node("ReduceSum", "x", "y", axes=[1]), IMAGE, {}),
    "reduce_all": (7, node("ReduceMax", "x", "y"), IMAGE, {}),
    "resize_10": (10, node("Resize", "x s", "y", mode="nearest"), IMAGE, {"s": SCALES}),
    "resize_10_smaller": (10, node("Resize", "x s", "y", mode="nearest"), IMAGE, {"s": SMALLER}),
    "resize_10_linear": (10, node("Resize", "x s", "y", mode="linear"), IMAGE, {"s": SCALES}),
    "resize_for_nn": (11, node("Resize", "x r s", "y", **FOR_NN), IMAGE, {"r": np.zeros(0, np.float32), "s": SCALES}),
    "resize_11": (11, node("Resize", "x r s", "y", mode="linear"), IMAGE, {"r": np.zeros(0, np.float32), "s": SCALES}),
    "roi_align": (
        10,
        node("RoiAlign", "x r i", "y", output_height=2, output_width=2, sampling_ratio=2),
        IMAGE,
        {"r": np.float32([[0, 0, 3, 3], [1, 1, 2, 3]]), "i": [0, 1]},
    ),
    "scatter": (9, node("Scatter", "x i u", "y", axis=1), (2, 3), {"i": [[1], [2]], "u": random(2, 1)}),
    "slice": (7, node("Slice", "x", "y", starts=[1, -2], ends=[9, -1], axes=[1, 2]), IMAGE, {}),
    "slice_first_axes": (9, node("Slice", "x", "y", starts=[0, 1], ends=[2, 3]), IMAGE, {}),
    "softmax": (9, node("Softmax", "x", "y"), (2, 3), {}),
    "softmax_of_a_matrix": (11, node("Softmax", "x", "y"), (2, 3, 4), {}),
    "softmax_of_all": (7, node("Softmax", "x", "y", axis=0), (2, 3, 4), {}),
    "split": (7, node("Split", "x", "y z", axis=1, split=[1, 2]), (2, 3), {}),
    "split_equal": (11, node("Split", "x", "y z w", axis=1), (2, 3), {}),
    "squeeze": (7, node("Squeeze", "x", "y", axes=[1]), (2, 1, 3), {}),
    "squeeze_all": (11, node("Squeeze", "x", "y"), (2, 1, 3), {}),
    "top_k": (7, node("TopK", "x", "y i", axis=1, k=2), (2, 5), {}),
    "top_k_10": (10, node("TopK", "x k", "y i"), (2, 5), {"k": [2]}),
    "unsqueeze": (7, node("Unsqueeze", "x", "y", axes=[0, 2]), (2, 3), {}),
    "upsample": (7, node("Upsample", "x", "y", scales=[1.0, 1.0, 2.0, 1.5]), IMAGE, {}),
    "upsample_linear": (8, node("Upsample", "x", "y", mode="linear", scales=[1.0, 1.0, 2.0, 2.0]), IMAGE, {}),
    "upsample_9": (9, node("Upsample", "x s", "y", mode="nearest"), IMAGE, {"s": SCALES}),
}


@pytest.mark.parametrize("name", CASES)
def test_older_forms(name: str, tmp_path: Path) -> None:
    opset, one, shape, constants = CASES[name]
    of = graph([one], {"x": ("float32", shape)}, [name for name in one.output if name], constants)
    assert_same(model(of, opset), {"x": random(*shape, seed=1)}, tmp_path)


def test_bodies_are_brought_there_too(tmp_path: Path) -> None:
    """And initializers that are listed as inputs, as files before IR version 4 have them."""
    then = graph([node("Squeeze", "x", "t", axes=[1]), node("Softmax", "t", "s", axis=1)], {}, ["s"])
    other = graph([node("ReduceSum", "x", "r", axes=[1], keepdims=0)], {}, ["r"])
    of = graph(
        [node("If", "c", "y", then_branch=then, else_branch=other)],
        {"x": ("float32", ["n", 1, 3, 2]), "c": ("bool", [])},
        ["y"],
        {"c": np.bool_(True)},
    )
    assert_same(model(of, 11, 3), {"x": random(2, 1, 3, 2)}, tmp_path)


def test_softmax_keeps_the_output_name_where_nobody_knows_a_rank(tmp_path: Path) -> None:
    nodes = [node("Gelu", "x", "h", "com.microsoft"), node("Softmax", "h", "y", axis=1), node("Neg", "y", "z")]
    assert_same(model(graph(nodes, {"x": ("float32", None)}, ["y", "z"]), 9), {"x": random(2, 3, 4)}, tmp_path)


def test_what_has_no_form_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(model(graph([node("Neg", "x", "y")], {"x": ("float32", [2])}, ["y"]), 6), path)
    with pytest.raises(SourceError, match="is of opset 6, fgcompile reads 7 and later"):
        read_onnx(path)
    spatial = node("BatchNormalization", "x g b m v", "y", spatial=0)
    onnx.save(model(graph([spatial], {"x": ("float32", IMAGE)}, ["y"], NORM), 8), path)
    with pytest.raises(SourceError, match="a BatchNormalization of opset 8 that has spatial=0: export it again"):
        read_onnx(path)
