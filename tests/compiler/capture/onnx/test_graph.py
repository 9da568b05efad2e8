"""A file's graph as a module: its layers, its weights, what is computed once, what no row reads."""

from __future__ import annotations

import gc
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch
from torch import nn

from fgcompile.compiler.capture.onnx.read import read_onnx
from fgcompile.errors import UnsupportedOpError
from tests.compiler.capture.onnx.files import assert_same, graph, model, node, random

WEIGHT = random(40, 40)


def test_weights_are_held_once(tmp_path: Path) -> None:
    nodes = [
        node("MatMul", "x w", "a"),
        node("MatMul", "a w", "b"),
        node("Transpose", "w", "t"),
        node("Gemm", "b t", "y"),
    ]
    path = tmp_path / "model.onnx"
    onnx.save(model(graph(nodes, {"x": ("float32", ["n", 40])}, ["y"], {"w": WEIGHT})), path)
    module = read_onnx(path)
    # Both products have the same parameter, and what is computed of constants is computed once.
    assert module.get_submodule("MatMul_a").b is module.get_submodule("MatMul_b").b
    assert [name for name, _ in module.named_children()] == ["MatMul_a", "MatMul_b", "Gemm_y"]
    gc.collect()
    kept = [each for each in gc.get_objects() if type(each) is ir.Graph and each.name == "g"]
    assert not kept, "the file's graph is kept, with its bytes"


def test_layers_bear_the_names_of_nodes(tmp_path: Path) -> None:
    nodes = [node("Neg", "x", "a"), node("Neg", "a", "b"), node("Neg", "b", "c"), node("Neg", "c", "y")]
    for one, name in zip(nodes, ("/block.1/Neg", "/block.1/Neg_1", "", "forward"), strict=True):
        one.name = name
    path = tmp_path / "model.onnx"
    onnx.save(model(graph(nodes, {"x": ("float32", ["n", 2])}, ["y"])), path)
    module = read_onnx(path)
    assert [name for name, _ in module.named_children()] == ["block_1/Neg", "block_1/Neg_1", "Neg_2", "forward__2"]
    torch.testing.assert_close(module(torch.ones(1, 2)), torch.ones(1, 2))


def test_functions_of_the_file_are_read(tmp_path: Path) -> None:
    scaled = onnx.helper.make_function(
        "own", "Twice", ["a"], ["b"], [node("Add", "a a", "b")], [onnx.helper.make_opsetid("", 21)]
    )
    proto = model(graph([node("Twice", "x", "h", "own"), node("Neg", "h", "y")], {"x": ("float32", ["n", 2])}, ["y"]))
    proto.functions.append(scaled)
    proto.opset_import.append(onnx.helper.make_opsetid("own", 1))
    assert_same(proto, {"x": random(2, 2)}, tmp_path)


def test_all_that_no_row_reads_is_listed(tmp_path: Path) -> None:
    body = graph([node("Mystery", "x", "t", "other.domain")], {}, ["t"])
    nodes = [
        node("TreeEnsemble", "x", "a", "ai.onnx.ml"),
        node("ReduceMax", "a", "m", keepdims=0),
        node("Cast", "m", "c", to=9),
    ]
    nodes += [node("If", "c", "y", then_branch=body, else_branch=body)]
    path = tmp_path / "model.onnx"
    onnx.save(model(graph(nodes, {"x": ("float32", ["n", 2])}, ["y"])), path)
    with pytest.raises(UnsupportedOpError) as refusal:
        read_onnx(path)
    assert "ai.onnx.ml.TreeEnsemble (TreeEnsemble 'TreeEnsemble_a')" in str(refusal.value)
    assert "other.domain.Mystery (Mystery 'Mystery_t'" in str(refusal.value)


def test_numbers_of_all_dtypes(tmp_path: Path) -> None:
    nodes = [node("Cast", "half", "h", to=1), node("Cast", "brain", "b", to=1), node("Cast", "small", "s", to=1)]
    nodes += [node("Add", "x h", "xh"), node("Add", "xh b", "xb"), node("Mul", "xb s", "y")]
    brain = onnx.helper.make_tensor("brain", onnx.TensorProto.BFLOAT16, [2], [1.5, -2.0])
    constants = {"half": np.float16([0.1, 0.2]), "small": np.uint8([3, 200])}
    of = graph(nodes, {"x": ("float32", ["n", 2])}, ["y"], constants)
    of.initializer.append(brain)
    assert_same(model(of), {"x": random(2, 2)}, tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: what is mapped stands in /proc")
def test_a_file_is_let_go_when_it_is_read(tmp_path: Path) -> None:
    """Each large tensor maps the whole file while it is read: of a hundred together that would be a hundred files."""
    network = nn.Sequential(nn.Conv1d(4, 4, 3), nn.GroupNorm(2, 4), nn.Flatten(), nn.Linear(24, 3)).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network, (torch.zeros(2, 4, 8),), tmp_path / "whole.onnx", dynamo=False, opset_version=17)
    proto = onnx.load(tmp_path / "whole.onnx")
    onnx.save(proto, tmp_path / "model.onnx", save_as_external_data=True, location="beside", size_threshold=0)
    read = read_onnx(tmp_path / "model.onnx")
    assert str(tmp_path) not in Path("/proc/self/maps").read_text()
    assert read(torch.zeros(2, 4, 8)).shape == (2, 3)
