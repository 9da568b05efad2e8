"""Networks of files compile for a batch of any size, and their logits are ONNX Runtime's on the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

import fgcompile
from fgcompile.compiler.capture.capture import capture
from fgcompile.compiler.capture.onnx.read import read_onnx
from tests.compiler.capture.onnx.files import Array, graph, model, node, onnx_runtime, random
from tests.support.sweeps import few

CHANNELS, CLASSES = 4, 3
STATISTICS = {name: np.abs(random(CHANNELS, seed=seed)) for seed, name in enumerate(("scale", "shift", "mean", "var"))}
HEAD = [
    node("GlobalAveragePool", "last", "pooled"),
    node("Flatten", "pooled", "flat"),
    node("Gemm", "flat head shift_head", "y", transB=1, alpha=0.5),
]
HEAD_WEIGHTS = {"head": random(CLASSES, CHANNELS, seed=7), "shift_head": random(CLASSES, seed=8)}

WINDOWS = [
    node("Conv", "x w", "a", auto_pad="SAME_UPPER", strides=[2, 2]),
    node("BatchNormalization", "a scale shift mean var", "b"),
    node("HardSwish", "b", "c"),
    node("MaxPool", "c", "d", kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER"),
    node("Clip", "d zero six", "e"),
    node("ConvTranspose", "e up", "f", auto_pad="SAME_UPPER", strides=[2, 2]),
    node("AveragePool", "f", "g", kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 1, 1], ceil_mode=1),
    node("PRelu", "g slope", "last"),
]
RESIZED = [
    node("Resize", "x _ twice", "a"),
    node("Shape", "a", "sizes"),
    node("Slice", "sizes first second", "kept"),
    node("Slice", "sizes second fourth", "space"),
    node("Cast", "space", "real", to=onnx.TensorProto.FLOAT),
    node("Mul", "real shrink", "less"),
    node("Floor", "less", "whole"),
    node("Cast", "whole", "smaller", to=onnx.TensorProto.INT64),
    node("Concat", "kept smaller", "wanted", axis=0),
    node("Resize", "a _ _ wanted", "b", mode="linear", coordinate_transformation_mode="asymmetric"),
    node("Pad", "b pads", "c", mode="reflect"),
    node("InstanceNormalization", "c scale shift", "d"),
    node("Conv", "d w", "e", pads=[0, 1, 1, 0]),
    node("Gelu", "e", "last", approximate="tanh"),
]
SPECTRA = [
    node("STFT", "x step window", "spectra"),
    node("ReduceSumSquare", "spectra minus", "power", keepdims=0),
    node("Add", "power little", "more"),
    node("Log", "more", "loud"),
    node("LayerNormalization", "loud over under", "normal"),
    node("Einsum", "normal bands", "mixed", equation="ntf,fk->nkt"),
    node("ReduceMax", "mixed minus", "y", keepdims=0),
]
ROWS = [
    node("Mul", "x x", "square"),
    node("Greater", "x zero", "positive"),
    node("Where", "positive square x", "a"),
    node("Gemm", "a w shift", "b"),
    node("Pow", "b two", "c"),
    node("Sqrt", "c", "d"),
    node("Min", "d six b", "e"),
    node("Equal", "want minus", "any"),
    node("Shape", "e", "sizes"),
    node("Where", "any sizes want", "target"),
    node("Expand", "e target", "f"),
    node("LogSoftmax", "f", "y"),
]

NETWORKS: dict[str, tuple[list[onnx.NodeProto], dict[str, Any], tuple[int, ...]]] = {
    "windows": (
        WINDOWS + HEAD,
        {
            **STATISTICS,
            **HEAD_WEIGHTS,
            "w": random(CHANNELS, 3, 3, 3, seed=1),
            "up": random(CHANNELS, CHANNELS, 3, 3, seed=2),
            "slope": random(CHANNELS, 1, 1, seed=3),
            "zero": np.float32(0),
            "six": np.float32(6),
        },
        (3, 13, 10),
    ),
    "resized": (
        RESIZED + HEAD,
        {
            **STATISTICS,
            **HEAD_WEIGHTS,
            "twice": np.array([1, 1, 2, 2], np.float32),
            "first": np.array([0]),
            "second": np.array([2]),
            "fourth": np.array([4]),
            "shrink": np.array([0.7, 0.4], np.float32),
            "pads": np.array([0, 0, 1, 0, 0, 0, 1, 2]),
            "w": random(CHANNELS, CHANNELS, 2, 3, seed=1),
        },
        (CHANNELS, 6, 8),
    ),
    "spectra": (
        SPECTRA,
        {
            "step": np.array(4),
            "window": np.hanning(8).astype(np.float32),
            "minus": np.array([-1]),
            "little": np.float32(0.1),
            "over": random(5, seed=1),
            "under": random(5, seed=2),
            "bands": random(5, CLASSES, seed=3),
        },
        (24, 1),
    ),
    "rows": (
        ROWS,
        {
            "zero": np.float32(0),
            "two": np.float32(2),
            "six": np.float32(0.6),
            "w": random(5, CLASSES, seed=1),
            "shift": random(CLASSES, seed=2),
            "want": np.array([-1, CLASSES]),
            "minus": np.array(-1),
        },
        (5,),
    ),
}


def _saved(path: Path, name: str) -> Path:
    nodes, constants, shape = NETWORKS[name]
    onnx.save(model(graph(nodes, {"x": ("float32", ["n", *shape])}, ["y"], constants)), path)
    return path


@pytest.mark.parametrize("name", few(NETWORKS, 1))
def test_logits_are_those_of_the_file_at_any_batch(name: str, tmp_path: Path) -> None:
    path, shape = _saved(tmp_path / "network.onnx", name), NETWORKS[name][2]
    example = torch.from_numpy(random(2, *shape))
    artifact = fgcompile.compile(read_onnx(path, logits=False), example, rules="libragrad")
    artifact.save(tmp_path / "artifact.onnx")
    session, original = fgcompile.load(tmp_path / "artifact.onnx"), onnx_runtime(path)
    for batch in (1, 2, 5):
        x = random(batch, *shape, seed=batch)
        (expected,) = original.run(None, {"x": x})
        np.testing.assert_allclose(session.explain(x).logits, expected, rtol=1e-5, atol=1e-5)


def test_windows_of_dynamic_sizes(tmp_path: Path) -> None:
    """No window lies where it does in the example alone, of sizes that are padded alike at both ends."""
    path = tmp_path / "network.onnx"
    nodes = [
        node("MaxPool", "x", "a", kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER"),
        node("Conv", "a w", "b", auto_pad="SAME_LOWER", strides=[2, 2]),
        node("AveragePool", "b", "last", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
        *HEAD,
    ]
    constants = {**HEAD_WEIGHTS, "w": random(CHANNELS, 3, 2, 2, seed=1)}
    onnx.save(model(graph(nodes, {"x": ("float32", ["n", 3, "h", "w"])}, ["y"], constants)), path)
    captured = capture(read_onnx(path), torch.from_numpy(random(2, 3, 13, 9)), dynamic_sizes=True)
    original = onnx_runtime(path)
    for size in ((13, 9), (16, 20), (15, 18)):
        x: Array = random(2, 3, *size, seed=3)
        (expected,) = original.run(None, {"x": x})
        (actual,) = captured.graph_module(torch.from_numpy(x))
        np.testing.assert_allclose(actual.detach().numpy(), expected, rtol=1e-5, atol=1e-5)
