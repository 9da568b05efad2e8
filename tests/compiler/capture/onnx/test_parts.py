"""Rows that move, pick, repeat and write elements, against ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

import fgcompile
from fgcompile.compiler.capture.onnx.read import read_onnx
from fgcompile.errors import CaptureError, FgcompileError
from tests.compiler.capture.onnx.files import assert_same, graph, model, node, random

LAST = np.iinfo(np.int64).max
BACKWARDS: dict[str, Any] = {"a": [1], "t": [-2]}
FIRST = np.iinfo(np.int64).min

CASES: dict[str, tuple[onnx.NodeProto, tuple[int, ...], dict[str, Any]]] = {
    "slice_to_the_end": (node("Slice", "x s e a", "y"), (2, 3, 5), {"s": [1], "e": [LAST], "a": [2]}),
    "slice_from_the_end": (node("Slice", "x s e a", "y"), (2, 3, 5), {"s": [-3, -9], "e": [-1, 2], "a": [-1, 1]}),
    "slice_in_steps": (node("Slice", "x s e a t", "y"), (2, 9), {"s": [1], "e": [LAST], "a": [1], "t": [3]}),
    "slice_backwards": (node("Slice", "x s e a t", "y"), (2, 9), {"s": [-1], "e": [FIRST], "a": [1], "t": [-1]}),
    "slice_backwards_within": (node("Slice", "x s e a t", "y"), (2, 9), {"s": [7], "e": [1], "a": [1], "t": [-2]}),
    "slice_backwards_to_the_largest": (node("Slice", "x s e a t", "y"), (2, 9), BACKWARDS | {"s": [7], "e": [LAST]}),
    "slice_backwards_from_before": (node("Slice", "x s e a t", "y"), (2, 9), BACKWARDS | {"s": [-12], "e": [FIRST]}),
    "slice_nothing": (node("Slice", "x s e a t", "y"), (2, 9), {"s": [1], "e": [7], "a": [1], "t": [-2]}),
    "slice_all_axes": (node("Slice", "x s e", "y"), (2, 9), {"s": [0, 1], "e": [1, 4]}),
    "split_sizes": (node("Split", "x s", "y z", axis=1), (2, 5), {"s": [2, 3]}),
    "split_uneven": (node("Split", "x", "y z w", axis=-1, num_outputs=3), (2, 7), {}),
    "squeeze": (node("Squeeze", "x a", "y"), (2, 1, 3, 1), {"a": [-1]}),
    "squeeze_all": (node("Squeeze", "x", "y"), (2, 1, 3, 1), {}),
    "unsqueeze": (node("Unsqueeze", "x a", "y"), (2, 3), {"a": [-1, 0]}),
    "expand": (node("Expand", "x s", "y"), (2, 1, 3), {"s": [4, 1, 5, 1]}),
    "tile": (node("Tile", "x s", "y"), (2, 1, 3), {"s": [1, 4, 1]}),
    "tile_more": (node("Tile", "x s", "y"), (2, 3), {"s": [2, 3]}),
    "transpose": (node("Transpose", "x", "y"), (2, 3, 4), {}),
    "gather_scalar": (node("Gather", "x i", "y", axis=1), (2, 3, 4), {"i": -1}),
    "gather_run": (node("Gather", "x i", "y", axis=1), (2, 5), {"i": [1, 2, 3]}),
    "gather_any": (node("Gather", "x i", "y", axis=-1), (2, 5), {"i": [[1, -1], [3, 3]]}),
    "gather_elements": (node("GatherElements", "x i", "y", axis=1), (2, 3), {"i": [[1, -1], [0, 0]]}),
    "gather_nd": (node("GatherND", "x i", "y"), (2, 3, 4), {"i": [[0, 1], [1, -1]]}),
    "gather_nd_batch": (node("GatherND", "x i", "y", batch_dims=1), (2, 3, 4, 2), {"i": [[[0, 1]], [[-1, 2]]]}),
    "scatter": (node("ScatterElements", "x i u", "y", axis=1), (2, 3), {"i": [[1], [-1]], "u": random(2, 1)}),
    "scatter_add": (
        node("ScatterElements", "x i u", "y", axis=1, reduction="add"),
        (2, 3),
        {"i": [[1, 1], [0, 2]], "u": random(2, 2)},
    ),
    "scatter_nd": (node("ScatterND", "x i u", "y"), (3, 4), {"i": [[0, 1], [2, -1]], "u": random(2)}),
    "scatter_nd_rows": (node("ScatterND", "x i u", "y"), (3, 4), {"i": [[2], [0]], "u": random(2, 4)}),
    "scatter_nd_slice": (node("ScatterND", "x i u", "y"), (4, 3), {"i": [[1], [2]], "u": random(2, 3)}),
    "scatter_nd_slice_from_behind": (node("ScatterND", "x i u", "y"), (4, 3), {"i": [[-2], [-1]], "u": random(2, 3)}),
    "scatter_nd_wrapped": (node("ScatterND", "x i u", "y"), (4, 3), {"i": [[-1], [0]], "u": random(2, 3)}),
    "scatter_nd_part": (
        node("ScatterND", "x i u", "y"),
        (4, 3, 2),
        {"i": [[[1, 0], [1, 1]], [[2, 0], [2, 1]], [[3, 0], [3, 1]]], "u": random(3, 2, 2)},
    ),
    "scatter_nd_turned_part": (
        node("ScatterND", "x i u", "y"),
        (4, 3),
        {"i": [[[0, 1], [1, 1]], [[0, 2], [1, 2]]], "u": random(2, 2)},
    ),
    "scatter_nd_add": (
        node("ScatterND", "x i u", "y", reduction="add"),
        (3, 4),
        {"i": [[2, 1], [2, 1]], "u": random(2)},
    ),
    "scatter_nd_max": (node("ScatterND", "x i u", "y", reduction="max"), (3, 4), {"i": [[2], [0]], "u": random(2, 4)}),
    "compress": (node("Compress", "x c", "y", axis=1), (2, 3), {"c": np.array([True, False, True])}),
    "compress_flat": (node("Compress", "x c", "y"), (2, 3), {"c": np.array([True, False, True])}),
    "top_k": (node("TopK", "x k", "y i", axis=1), (2, 5), {"k": [3]}),
    "top_k_smallest": (node("TopK", "x k", "y i", axis=0, largest=0), (4, 2), {"k": [2]}),
    "cum_sum": (node("CumSum", "x a", "y"), (2, 5), {"a": 1}),
    "cum_sum_others": (node("CumSum", "x a", "y", exclusive=1, reverse=1), (2, 5), {"a": np.int32(-1)}),
    "trilu": (node("Trilu", "x", "y"), (2, 4, 4), {}),
    "trilu_lower": (node("Trilu", "x k", "y", upper=0), (3, 4), {"k": -1}),
    "eye_like": (node("EyeLike", "x", "y", k=1, dtype=7), (3, 4), {}),
    "reverse_all": (node("ReverseSequence", "x l", "y", batch_axis=1, time_axis=0), (3, 2, 2), {"l": [3, 3]}),
    "reverse_parts": (node("ReverseSequence", "x l", "y", batch_axis=0, time_axis=1), (2, 4, 2), {"l": [3, 2]}),
    "size": (node("Size", "x", "y"), (2, 3), {}),
    "reshape": (node("Reshape", "x s", "y"), (2, 3, 4), {"s": [0, -1]}),
    "flatten": (node("Flatten", "x", "y", axis=-1), (2, 3, 4), {}),
}


@pytest.mark.parametrize("name", CASES)
def test_rows(name: str, tmp_path: Path) -> None:
    one, shape, constants = CASES[name]
    outputs = [name for name in one.output if name]
    proto = model(graph([one], {"x": ("float32", shape)}, outputs, constants))
    assert_same(proto, {"x": random(*shape, seed=1)}, tmp_path)


def test_constants_in_every_form(tmp_path: Path) -> None:
    nodes = [
        node("Constant", "", "a", value_float=2.0),
        node("Constant", "", "b", value_floats=[1.0, 2.0, 3.0]),
        node("Constant", "", "c", value_ints=[3, 2]),
        node("Constant", "", "d", value_int=1),
        node("Mul", "x a", "xa"),
        node("Add", "xa b", "xb"),
        node("Reshape", "xb c", "xc"),
        node("Gather", "xc d", "y"),
    ]
    proto = model(graph(nodes, {"x": ("float32", [2, 3])}, ["y"]))
    assert_same(proto, {"x": random(2, 3)}, tmp_path)


def test_what_is_known_keeps_its_dtype(tmp_path: Path) -> None:
    nodes = [
        node("Unique", "c", "u f i n"),
        node("NonZero", "c", "z"),
        node("Gather", "t i", "g"),
        node("Size", "x", "s"),
    ]
    nodes += [node("Range", "from to by", "r"), node("OneHot", "o depth v", "h")]
    constants = {
        "c": [3, 1, 3, 0],
        "e": np.int32([3, 1, 0]),
        "t": np.arange(4) / 3,
        "o": [1, 0],
        "depth": [3],
    }
    constants |= {"depth": [3], "from": np.float32(1), "to": np.float32(2), "by": np.float32(0.25), "v": random(2)}
    proto = model(graph(nodes, {"x": ("float32", ["n"])}, list("ufinzgsrh"), constants))
    assert_same(proto, {"x": random(3)}, tmp_path)


def test_sequences(tmp_path: Path) -> None:
    nodes = [
        node("SplitToSequence", "x lengths", "s", axis=1),
        node("SequenceAt", "s last", "a"),
        node("SequenceInsert", "s a first", "t"),
        node("SequenceErase", "t last", "u"),
        node("ConcatFromSequence", "u", "y", axis=1),
        node("SequenceLength", "t", "n"),
    ]
    constants = {"lengths": [1, 2, 1], "last": -1, "first": 0}
    proto = model(graph(nodes, {"x": ("float32", ["n", 4])}, ["y", "n"], constants))
    assert_same(proto, {"x": random(2, 4)}, tmp_path)


def test_numbers_that_are_computed_are_refused(tmp_path: Path) -> None:
    nodes = [node("Reshape", "x i", "y"), node("NonZero", "x", "z"), node("Gather", "z i", "p", axis=1)]
    onnx.save(model(graph(nodes, {"x": ("float32", [2, 3]), "i": ("int64", [1])}, ["y", "p"])), tmp_path / "model.onnx")
    module = read_onnx(tmp_path / "model.onnx")
    with pytest.raises(CaptureError, match="Reshape 'Reshape_y' takes its shape from values that are computed"):
        module(torch.ones(2, 3), torch.tensor([6]))
    places = module.get_submodule("NonZero_z")(torch.ones(2, 3))
    with pytest.raises(
        FgcompileError,
        match="Gather 'Gather_p': it takes the places that NonZero 'NonZero_z' finds",
    ):
        module.get_submodule("Gather_p")(*places, torch.tensor([1]))


def test_indices_that_a_file_computes_count_from_the_end_of_a_table(tmp_path: Path) -> None:
    nodes = [node("Sub", "ids three", "less"), node("Gather", "table less", "found")]
    nodes += [node("ReduceMean", "found axes", "y", keepdims=0)]
    constants = {"table": random(9, 5), "three": np.array(3), "axes": np.array([1])}
    proto = model(graph(nodes, {"ids": ("int64", ["n", 4])}, ["y"], constants))
    ids = np.array([[0, 1, 2, 8], [3, 4, 5, 6]])
    assert_same(proto, {"ids": ids}, tmp_path)
    terms = fgcompile.full_gradient(tmp_path / "model.onnx", {"ids": torch.from_numpy(ids)}, target=2)
    embedded = constants["table"][ids - 3][..., 2] / 4
    torch.testing.assert_close(terms.bias_gradients["Gather_found"][..., 2], torch.from_numpy(embedded))


def test_what_is_written_into_slices_keeps_its_places(tmp_path: Path) -> None:
    """Exporters make a ScatterND of ``y[:, 1:] = …``, behind turns that put its axis in front."""
    nodes = [node("Transpose", "x", "t", perm=[1, 0, 2]), node("ScatterND", "t places u", "w")]
    nodes += [node("Transpose", "w", "v", perm=[1, 0, 2]), node("Relu", "v", "r"), node("Add", "r bias", "b")]
    nodes += [node("ReduceMean", "b axes", "y", keepdims=0)]
    constants = {"places": [[1], [2]], "u": random(2, 2, 3), "bias": random(3), "axes": np.array([1])}
    onnx.save(model(graph(nodes, {"x": ("float32", [2, 5, 3])}, ["y"], constants)), tmp_path / "model.onnx")
    with torch.no_grad():
        exported = torch.export.export(read_onnx(tmp_path / "model.onnx"), (torch.ones(2, 5, 3),))
    targets = {str(each.target) for each in exported.run_decompositions().graph.nodes}
    assert "aten.slice_scatter.default" in targets
    assert not targets & {"aten.index_put.default", "aten.index_select.default"}
