"""Reads and writes at the samples' own numbers, as exporters write them, compile for any batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from fgcompile.compiler.capture.capture import capture
from fgcompile.compiler.capture.onnx.read import read_onnx
from tests.compiler.capture.onnx.files import graph, model, node, onnx_runtime, random

SAMPLES = [node("Shape", "x", "n", end=1), node("Squeeze", "n", "count"), node("Range", "zero count one", "range")]
PLACES = [node("ReduceSum", "x last", "sums", keepdims=0), node("ArgMax", "sums", "best", axis=1, keepdims=0)]
COLUMNS = [node("Unsqueeze", "range last", "first"), node("Unsqueeze", "best last", "second")]
COLUMNS += [node("Concat", "first second", "places", axis=-1)]

FORMS: dict[str, list[onnx.NodeProto]] = {
    "read_by_columns": [*SAMPLES, *PLACES, *COLUMNS, node("GatherND", "x places", "y")],
    "read_in_the_flat": [
        *SAMPLES,
        *PLACES,
        node("Reshape", "x flat", "rows"),
        node("Mul", "range four", "firsts"),
        node("Add", "best firsts", "row"),
        node("Gather", "rows row", "y"),
    ],
    "write_by_columns": [
        *[*SAMPLES, *PLACES, *COLUMNS, node("GatherND", "x places", "v"), node("Neg", "v", "w")],
        *[node("ScatterND", "x places w", "z"), node("ReduceSum", "z one_axis", "y", keepdims=0)],
    ],
    "write_a_part": [
        *SAMPLES,
        node("Reshape", "range column", "tall"),
        node("Add", "tall part", "grid"),
        node("Shape", "grid", "sizes"),
        node("Expand", "tall sizes", "a"),
        node("Expand", "part sizes", "b"),
        node("Unsqueeze", "a last", "a1"),
        node("Unsqueeze", "b last", "b1"),
        node("Concat", "a1 b1", "places", axis=-1),
        node("Slice", "x one_axis three one_axis", "v"),
        node("ScatterND", "x places v", "z"),
        node("ReduceMax", "z one_axis", "y", keepdims=0),
    ],
}

FORMS["write_where_a_mask_is_true"] = [
    node("Less", "x low", "mask"),
    node("NonZero", "mask", "found"),
    node("Transpose", "found", "places", perm=[1, 0]),
    node("Reshape", "mask last", "all"),
    node("Cast", "all", "ones", to=7),
    node("ReduceSum", "ones last", "many", keepdims=1),
    node("Expand", "low many", "lows"),
    node("ScatterND", "x places lows", "z"),
    node("ReduceSum", "z one_axis", "y", keepdims=0),
]

CONSTANTS: dict[str, Any] = {"zero": 0, "one": 1, "last": [-1], "flat": [-1, 3], "four": [4], "column": [-1, 1]}
CONSTANTS |= {"low": np.float32(0.1), "part": [0, 3], "one_axis": [1], "three": [3]}


@pytest.mark.parametrize("form", FORMS)
def test_each_sample_at_places_of_its_own(form: str, tmp_path: Path) -> None:
    used = {name for one in FORMS[form] for name in one.input}
    constants = {name: value for name, value in CONSTANTS.items() if name in used}
    path = tmp_path / "model.onnx"
    onnx.save(model(graph(FORMS[form], {"x": ("float32", ["n", 4, 3])}, ["y"], constants)), path)
    captured = capture(read_onnx(path), torch.from_numpy(random(2, 4, 3)))
    for batch in (1, 2, 5):
        x = random(batch, 4, 3, seed=batch)
        (y,) = captured.graph_module(torch.from_numpy(x))
        np.testing.assert_allclose(y, onnx_runtime(path).run(None, {"x": x})[0], atol=1e-6)
    targets = {node.target for node in captured.graph_module.graph.nodes if node.op == "call_function"}
    # Indices along the batch would be of samples that nothing behind could tell from others.
    assert not targets & {torch.ops.aten.index.Tensor, torch.ops.aten.index_put.default}
