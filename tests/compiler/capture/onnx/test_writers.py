"""What writers of files may put into one: functions, sparse tensors, tensors in any field and place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper

import fgcompile
from fgcompile.compiler.capture.onnx.read import read_onnx
from fgcompile.errors import SourceError, UnsupportedOpError
from tests.compiler.capture.onnx.files import assert_same, graph, model, node, random

TABLE = {"x": ("float32", ["n", 6])}
LAYER = [node("MatMul", "x w", "m"), node("Tanh", "m", "y")]


def sparse(shape: list[int], where: Any, flat: bool) -> onnx.SparseTensorProto:
    """Numbers at indices, in either form."""
    places = np.array(where)
    indices = places @ np.array([shape[1], 1]) if flat else places
    values = numpy_helper.from_array(random(len(places)), "w")
    return helper.make_sparse_tensor(values, numpy_helper.from_array(indices, "w_indices"), shape)


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("rows", [6, 600])
def test_sparse_tensors(flat: bool, rows: int, tmp_path: Path) -> None:
    where = [[row, row % 3] for row in range(0, rows, 2)]
    table, x = {"x": ("float32", ["n", rows])}, random(5, rows)
    initializer = graph(LAYER, table, ["y"])
    initializer.sparse_initializer.append(sparse([rows, 3], where, flat))
    assert_same(model(initializer), {"x": x}, tmp_path)
    constant = node("Constant", "", "w", sparse_value=sparse([rows, 3], where, flat))
    assert_same(model(graph([constant, *LAYER], table, ["y"])), {"x": x}, tmp_path)


def test_sparse_tensors_in_bodies(tmp_path: Path) -> None:
    then, other = graph(LAYER, {}, ["y"]), graph([node("MatMul", "x v", "y")], {}, ["y"])
    then.sparse_initializer.append(sparse([6, 3], [[1, 2], [4, 0]], False))
    choice = node("If", "c", "z", then_branch=then, else_branch=other)
    whole = graph([choice], TABLE, ["z"], {"c": np.bool_(True), "v": random(6, 3)})
    assert_same(model(whole), {"x": random(5, 6)}, tmp_path)


@pytest.mark.parametrize(("shape", "where"), [([6, 3], [[9, 9]]), ([2**20, 2**20], [[0, 0]])], ids=["index", "size"])
def test_sparse_tensors_that_are_none_are_refused(shape: list[int], where: Any, tmp_path: Path) -> None:
    whole = graph(LAYER, TABLE, ["y"])
    whole.sparse_initializer.append(sparse(shape, where, flat=True))
    onnx.save(model(whole), tmp_path / "model.onnx")
    with pytest.raises(SourceError, match="the sparse tensor 'w' has "):
        read_onnx(tmp_path / "model.onnx")


def test_weights_that_are_standardised_in_the_file(tmp_path: Path) -> None:
    """Batch normalisation in training mode, of the weights of a convolution: one row a channel that it makes."""
    constants = {"w": random(4, 3, 2), "rows": np.array([1, 4, -1]), "form": np.array([4, 3, 2])}
    constants |= {"scale": random(4), "zeros": np.zeros(4, np.float32), "ones": np.ones(4, np.float32)}
    standardised = node("BatchNormalization", "r scale zeros zeros ones", "s m n", training_mode=1, epsilon=1e-3)
    layers = [node("Reshape", "w rows", "r"), standardised, node("Reshape", "s form", "v"), node("Conv", "x v m", "c")]
    whole = graph([*layers, node("MatMul", "n c", "y")], {"x": ("float32", ["n", 3, 8])}, ["y"], constants)
    assert_same(model(whole), {"x": random(5, 3, 8)}, tmp_path)
    of_features = node("BatchNormalization", "x scale zeros zeros ones", "y m n", training_mode=1)
    onnx.save(model(graph([of_features], {"x": ("float32", ["n", 4, 8])}, ["y"], constants)), tmp_path / "t.onnx")
    with pytest.raises(UnsupportedOpError, match="in training mode: export the model for inference"):
        read_onnx(tmp_path / "t.onnx")(torch.randn(2, 4, 8))


def with_function(inner: list[onnx.NodeProto], of: int, opset: int) -> onnx.ModelProto:
    """A model of an opset that calls a function of another, which calls one as well."""
    imports = [helper.make_opsetid("", of), helper.make_opsetid("own", 1)]
    functions = [
        helper.make_function("own", "Inner", ["a"], ["b"], inner, imports),
        helper.make_function("own", "Outer", ["a"], ["b"], [node("Inner", "a", "b", "own")], imports),
    ]
    nodes = [
        LAYER[0],
        node("Reshape", "m shape", "r"),
        node("Outer", "r", "s", "own"),
        node("Softmax", "s", "y", axis=1),
    ]
    of_model = graph(nodes, TABLE, ["y"], {"w": random(6, 12), "shape": np.array([-1, 2, 2, 3])})
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("own", 1)]
    return helper.make_model(of_model, opset_imports=imports, functions=functions, ir_version=10)


@pytest.mark.parametrize(("of", "opset"), [(11, 21), (21, 11), (17, 18), (13, 13)])
def test_functions_of_another_opset(of: int, opset: int, tmp_path: Path) -> None:
    """ONNX Runtime reads their nodes by the model's: a softmax of opset 11 is along all axes from one on."""
    proto = with_function([node("Softmax", "a", "b", axis=1)], of, opset)
    assert_same(proto, {"x": random(5, 6)}, tmp_path)


@pytest.mark.parametrize("kind", [onnx.TensorProto.INT4, onnx.TensorProto.UINT4])
def test_weights_of_four_bits_are_compared_exactly(kind: int, tmp_path: Path) -> None:
    """ONNX Runtime rounds the other factor of a product with them to 8 bits, unless it is told not to."""
    levels = np.arange(18) % 16 - (8 if kind == onnx.TensorProto.INT4 else 0)
    packed = [int(low & 15 | (high & 15) << 4) for low, high in levels.reshape(-1, 2)]
    nodes = [node("DequantizeLinear", "q s", "w"), *LAYER]
    proto = model(graph(nodes, TABLE, ["y"], {"s": np.float32(0.1)}))
    proto.graph.initializer.append(onnx.TensorProto(name="q", data_type=kind, dims=[6, 3], int32_data=packed))
    onnx.save(proto, tmp_path / "network.onnx")
    fgcompile.compile(tmp_path / "network.onnx").save(tmp_path / "artifact.onnx")
    x = random(5, 6)
    expected = np.tanh(x @ (levels.reshape(6, 3) * np.float32(0.1)))
    np.testing.assert_allclose(fgcompile.load(tmp_path / "artifact.onnx").explain(x).logits, expected, atol=1e-6)


LARGE = random(600, 3, seed=1)  # so large that it is left in the file until it is asked for
WIDE = {"x": ("float32", ["n", 600])}


def in_function(nodes: list[onnx.NodeProto], tensor: onnx.TensorProto | None = None) -> onnx.ModelProto:
    """A layer, with its weight, as a function of a model."""
    imports = [helper.make_opsetid("", 21), helper.make_opsetid("own", 1)]
    constant = [node("Constant", "", "w", value=tensor)] if tensor is not None else []
    function = helper.make_function("own", "Layer", ["x"], ["y"], [*constant, *nodes], imports)
    whole = graph([node("Layer", "x", "z", "own")], WIDE, ["z"])
    return helper.make_model(whole, opset_imports=imports, functions=[function], ir_version=10)


def test_large_constants_of_functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They lie in the file, wherever it is called from."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/model.onnx").write_bytes(bytes(100_000))
    tensor = numpy_helper.from_array(LARGE, "w")
    assert_same(in_function(LAYER, tensor), {"x": random(5, 600)}, tmp_path)
    body = graph([node("Constant", "", "w", value=tensor), *LAYER], {}, ["y"])
    truth = node("Constant", "", "c", value=numpy_helper.from_array(np.bool_(True)))
    choice = node("If", "c", "y", then_branch=body, else_branch=body)
    assert_same(in_function([truth, choice]), {"x": random(5, 600)}, tmp_path)


def test_constants_of_functions_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(64) + LARGE.tobytes())
    tensor = onnx.TensorProto(name="w", data_type=1, dims=LARGE.shape, data_location=onnx.TensorProto.EXTERNAL)
    for key, value in (("location", "w.bin"), ("offset", "64")):
        tensor.external_data.add(key=key, value=value)
    assert_same(in_function(LAYER, tensor), {"x": random(5, 600)}, tmp_path)
    (tmp_path / "w.bin").write_bytes(LARGE.tobytes())
    with pytest.raises(SourceError, match=r"does not hold the 600 x 3 numbers of 'w'"):
        read_onnx(tmp_path / "model.onnx")


def test_constants_without_numbers_are_refused(tmp_path: Path) -> None:
    """Read, they would be zeros."""
    tensor = onnx.TensorProto(name="w", data_type=1, dims=LARGE.shape)
    for proto in (
        in_function(LAYER, tensor),
        model(graph([node("Constant", "", "w", value=tensor), *LAYER], WIDE, ["y"])),
    ):
        onnx.save(proto, tmp_path / "model.onnx")
        with pytest.raises(SourceError, match=r"does not hold the 600 x 3 numbers of 'w'"):
            read_onnx(tmp_path / "model.onnx")


NAMES = [("0.a", "0_a"), ("None", "/None"), ("in", "class"), ("", "Tanh"), ("training", "run")]


@pytest.mark.parametrize("names", NAMES)
def test_nodes_of_any_names(names: tuple[str, str], tmp_path: Path) -> None:
    nodes = [node("MatMul", "x w", "m"), node("Tanh", "m", "h"), node("Neg", "h", "y")]
    for each, name in zip(nodes[1:], names, strict=True):
        each.name = name
    onnx.save(model(graph(nodes, TABLE, ["y"], {"w": random(6, 3)})), tmp_path / "network.onnx")
    fgcompile.compile(tmp_path / "network.onnx").save(tmp_path / "artifact.onnx")
    x = random(5, 6)
    logits = fgcompile.load(tmp_path / "artifact.onnx").explain(x).logits
    np.testing.assert_allclose(logits, -np.tanh(x @ random(6, 3)), atol=1e-6)
