"""Layers of few bits, and those of ONNX Runtime's optimiser for GPUs: beside ONNX Runtime, or their parts there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnxruntime import quantization
from torch import nn
from torch.nn import functional

import fgcompile
from fgcompile.compiler.capture.onnx.operators import OPERATORS
from tests.compiler.capture.onnx.files import Array, assert_same, graph, model, node, onnx_runtime, random

OWN = "com.microsoft"


def whole(*shape: int, high: int = 256, dtype: Any = np.uint8) -> Array:
    return np.random.default_rng(sum(shape)).integers(0, high, shape).astype(dtype)


BITS: dict[str, tuple[int, int, dict[str, Any]]] = {
    "four": (4, 32, {}),
    "four with zero points": (4, 32, {"zero": whole(6, 2)}),
    "four with zero points of floats": (4, 32, {"zero": random(6, 3) + 8}),
    "eight": (8, 32, {"zero": whole(6, 3), "bias": random(6)}),
    "two": (2, 32, {}),
}


@pytest.mark.parametrize("level", [0, 4])  # 4: ONNX Runtime rounds the other factor to 8 bits
@pytest.mark.parametrize("name", BITS)
def test_weights_of_few_bits(name: str, level: int, tmp_path: Path) -> None:
    bits, block, others = BITS[name]
    constants = {"w": whole(6, 3, block * bits // 8), "s": np.abs(random(18)) / 100, **others}
    inputs = f"x w s {'zero' if 'zero' in others else '_'} _ {'bias' if 'bias' in others else '_'}"
    one = node("MatMulNBits", inputs, "y", OWN, K=70, N=6, bits=bits, block_size=block, accuracy_level=level)
    proto = model(graph([one], {"x": ("float32", ["n", 4, 70])}, ["y"], constants))
    assert_same(proto, {"x": random(2, 4, 70)}, tmp_path)


@pytest.mark.parametrize("columns", [False, True])
def test_attention_of_levels(columns: bool, tmp_path: Path) -> None:
    scale = np.abs(random(24, seed=2)) / 500 if columns else np.float32(0.004)
    zero = np.zeros(24, np.int8) if columns else np.int8(3)
    constants = {"s": np.float32(0.03), "z": np.uint8(120), "w": (whole(8, 24) - 128).astype(np.int8), "ws": scale}
    constants |= {"b": random(24), "wz": zero, "m": np.array([3, 4], np.int32)}
    nodes = [node("QuantizeLinear", "x s z", "q"), node("QAttention", "q w b s ws m z wz", "y", OWN, num_heads=2)]
    assert_same(model(graph(nodes, {"x": ("float32", [2, 4, 8])}, ["y"], constants)), {"x": random(2, 4, 8)}, tmp_path)


def test_embeddings_of_levels(tmp_path: Path) -> None:
    tables = {"words": whole(9, 8), "places": whole(6, 8), "kinds": whole(2, 8), "g": whole(8), "e": whole(8, high=99)}
    scales = {f"{name}_s": np.float32(0.01 + at / 500) for at, name in enumerate(tables)}
    zeros = {f"{name}_z": np.uint8(100 + at) for at, name in enumerate(tables)}
    inputs = " ".join(["ids segments", *tables, "_", *scales, *zeros])
    one = node("QEmbedLayerNormalization", inputs, "y lengths", OWN, epsilon=1e-5)
    takes = {"ids": ("int32", ["n", 4]), "segments": ("int32", ["n", 4])}
    proto = model(graph([one], takes, ["y"], {**tables, **scales, **zeros}))
    feeds = {"ids": whole(2, 4, high=9, dtype=np.int32), "segments": whole(2, 4, high=2, dtype=np.int32)}
    assert_same(proto, feeds, tmp_path, 1e-4)


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("gates", [False, True])
def test_an_lstm_of_levels(direction: str, gates: bool, tmp_path: Path) -> None:
    sides = 2 if direction == "bidirectional" else 1
    shape = (sides, 24) if gates else (sides,)
    constants = {"w": (whole(sides, 5, 24) - 128).astype(np.int8), "r": (whole(sides, 6, 24) - 128).astype(np.int8)}
    constants |= {"b": random(sides, 48), "s": np.abs(random(*shape)) / 300, "z": np.zeros(shape, np.int8)}
    constants |= {"rs": constants["s"], "rz": constants["z"]}  # ONNX Runtime turns no zero point of two weights
    one = node("DynamicQuantizeLSTM", "x w r b _ _ _ _ s z rs rz", "y h c", OWN, hidden_size=6, direction=direction)
    proto = model(graph([one], {"x": ("float32", [7, 1, 5])}, ["y", "h", "c"], constants))
    assert_same(proto, {"x": random(7, 1, 5)}, tmp_path)


@pytest.mark.slow
def test_a_network_of_text_quantised_at_run_time(tmp_path: Path) -> None:
    constants = {"e": random(20, 8), "w": random(1, 24, 8), "r": random(1, 24, 6), "b": random(1, 48)}
    constants |= {"m": random(6, 3), "axes": np.array([0])}
    nodes = [node("Gather", "ids e", "g"), node("Transpose", "g", "t", perm=[1, 0, 2])]
    nodes = [nodes[0].__class__.FromString(each.SerializeToString()) for each in nodes]
    nodes[0].input[:] = ["e", "ids"]
    nodes += [node("LSTM", "t w r b", "y h c", hidden_size=6), node("Squeeze", "h axes", "last")]
    nodes += [node("MatMul", "last m", "logits")]
    onnx.save(model(graph(nodes, {"ids": ("int64", ["n", 5])}, ["logits"], constants), 17, 8), tmp_path / "a.onnx")
    quantization.quantize_dynamic(tmp_path / "a.onnx", tmp_path / "q.onnx")
    assert any(each.op_type == "DynamicQuantizeLSTM" for each in onnx.load(tmp_path / "q.onnx").graph.node)
    artifact = fgcompile.compile(tmp_path / "q.onnx", outputs=("logits", "contributions", "residual"))
    assert "quantization" in {term["kind"] for site in artifact.metadata["sites"] for term in site["terms"]}
    assert artifact.metadata["completeness"] < 1e-9
    artifact.save(tmp_path / "artifact.onnx")
    ids, runtime = whole(3, 5, high=20, dtype=np.int64), onnx_runtime(tmp_path / "q.onnx")
    expected = np.concatenate([runtime.run(None, {"ids": one[None]})[0] for one in ids])
    np.testing.assert_allclose(fgcompile.load(tmp_path / "artifact.onnx").explain(ids).logits, expected, atol=1e-5)


X, T = torch.from_numpy(random(2, 5, 6, 8)), torch.from_numpy
ON_GPUS: dict[str, tuple[tuple[Any, ...], dict[str, Any], torch.Tensor]] = {
    "NhwcConv": (
        (X, T(random(4, 3, 3, 8)), T(random(4))),
        {"pads": [1, 1, 1, 1]},
        functional.conv2d(X.permute(0, 3, 1, 2), T(random(4, 3, 3, 8)).permute(0, 3, 1, 2), T(random(4)), 1, 1).permute(
            0, 2, 3, 1
        ),
    ),
    "GroupNorm": (
        (X, T(random(8)), T(random(8, seed=1))),
        {"groups": 2, "activation": 1, "epsilon": 1e-3},
        nn.functional.silu(
            functional.group_norm(X.permute(0, 3, 1, 2), 2, T(random(8)), T(random(8, seed=1)), 1e-3)
        ).permute(0, 2, 3, 1),
    ),
    "BiasSplitGelu": (
        (X, T(random(8))),
        {},
        (X + T(random(8)))[..., :4] * functional.gelu((X + T(random(8)))[..., 4:]),
    ),
    "BiasAdd": ((X, T(random(8)), 2 * X), {}, 3 * X + T(random(8))),
    "BiasSoftmax": (
        (X, T(random(2, 1, 1, 8))),
        {"axis": 3, "is_inner_broadcast": 1},
        torch.softmax(X + T(random(2, 1, 1, 8)), 3),
    ),
}

WHOLE = X.permute(0, 3, 1, 2) + T(random(2, 8))[:, :, None, None] + T(random(8, seed=2))[:, None, None]
NORMALISED = functional.group_norm(WHOLE, 2, T(random(8)), T(random(8, seed=1)))
SKIPPED: dict[str, tuple[torch.Tensor, int]] = {"channels last": (X, 1), "channels first": (X.permute(0, 3, 1, 2), 0)}


@pytest.mark.parametrize("name", SKIPPED)
def test_a_norm_of_a_sum(name: str) -> None:
    x, last = SKIPPED[name]
    values = (x, T(random(8)), T(random(8, seed=1)), T(random(2, 8)), T(random(8, seed=2)))
    found = OPERATORS[OWN, "SkipGroupNorm"].compute(*values, groups=2, activation=0, channels_last=last)
    for ours, expected in zip(found, (NORMALISED, WHOLE), strict=True):
        torch.testing.assert_close(ours, expected.permute(0, 2, 3, 1) if last else expected)


@pytest.mark.parametrize("name", ON_GPUS)
def test_what_is_made_for_gpus_is_what_its_parts_are(name: str) -> None:
    values, attributes, expected = ON_GPUS[name]
    torch.testing.assert_close(OPERATORS[OWN, name].compute(*values, **attributes), expected)
