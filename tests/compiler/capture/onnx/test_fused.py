"""Operators of ONNX Runtime's own domain, against ONNX Runtime: alone, and in files that its optimiser wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from tests.compiler.capture.onnx.files import Array, assert_same, graph, model, node, onnx_runtime, random

OWN = "com.microsoft"
BATCH, STEPS, WIDTH, HEADS = 2, 4, 8, 2


def _own(operator: str, inputs: str, outputs: str = "y", **attributes: Any) -> onnx.NodeProto:
    return node(operator, inputs, outputs, OWN, **attributes)


def _weight(*shape: int) -> Array:
    return random(*shape, seed=sum(shape)) / 2


IMAGE, IMAGES = (2, 3, 6, 6), {"w": _weight(4, 3, 3, 3), "b": _weight(4), "z": _weight(2, 4, 4, 4)}
TOKENS = (BATCH, STEPS, WIDTH)
NORM = {"skip": random(*TOKENS, seed=9), "g": _weight(WIDTH), "e": _weight(WIDTH), "b": random(WIDTH, seed=4)}
QKV = {"w": _weight(WIDTH, 3 * WIDTH), "b": random(3 * WIDTH, seed=3)}
POSITIONS = np.arange(STEPS, dtype=np.int64)[None].repeat(BATCH, 0)
ANGLES = {"cos": np.cos(random(9, 2, seed=6)), "sin": np.sin(random(9, 2, seed=6))}
KV = {"k": random(*TOKENS, seed=7), "v": random(*TOKENS, seed=8)}
LENGTHS = {"len": np.int32([3, 3]), "all": np.int32(4)}
BIAS = random(1, HEADS, STEPS, STEPS, seed=11)

CASES: dict[str, tuple[onnx.NodeProto, tuple[int, ...], dict[str, Any]]] = {
    "conv": (_own("FusedConv", "x w b", activation="Relu"), IMAGE, IMAGES),
    "conv_sum": (_own("FusedConv", "x w b z", activation="Relu"), IMAGE, IMAGES),
    "conv_leaky": (_own("FusedConv", "x w b", activation="LeakyRelu", activation_params=[0.2]), IMAGE, IMAGES),
    "conv_clip": (_own("FusedConv", "x w b", activation="Clip", activation_params=[-0.1, 0.4]), IMAGE, IMAGES),
    "conv_hard_sigmoid": (
        _own("FusedConv", "x w b", activation="HardSigmoid", activation_params=[0.3, 0.4]),
        IMAGE,
        IMAGES,
    ),
    "gemm": (
        _own("FusedGemm", "x w b", activation="LeakyRelu", activation_alpha=0.3, alpha=2.0, transB=1),
        (3, 5),
        {"w": _weight(4, 5), "b": _weight(4)},
    ),
    "matmul": (_own("FusedMatMul", "x w", alpha=0.5, transB=1), (2, 3, 4, 5), {"w": _weight(2, 3, 6, 5)}),
    "matmul_turned": (_own("FusedMatMul", "x w", transA=1), (2, 3, 4, 5), {"w": _weight(2, 3, 4, 6)}),
    "matmul_batch": (_own("FusedMatMul", "x w", transBatchA=1), (4, 2, 3, 5), {"w": _weight(2, 3, 5, 6)}),
    "gelu": (_own("Gelu", "x"), (3, 5), {}),
    "fast_gelu": (_own("FastGelu", "x b"), (3, 5), {"b": _weight(5)}),
    "bias_gelu": (_own("BiasGelu", "x b"), (3, 5), {"b": _weight(5)}),
    "quick_gelu": (_own("QuickGelu", "x", alpha=1.5), (3, 5), {}),
    "simplified": (node("SimplifiedLayerNormalization", "x g", "y i"), TOKENS, NORM),
    "skip": (_own("SkipLayerNormalization", "x skip g e b", "y _ _ sum"), TOKENS, NORM),
    "skip_simplified": (_own("SkipSimplifiedLayerNormalization", "x skip g b", "y _ _ sum"), TOKENS, NORM),
    "attention": (_own("Attention", "x w b", "y present", num_heads=HEADS), TOKENS, QKV),
    "attention_causal": (_own("Attention", "x w b", num_heads=HEADS, unidirectional=1), TOKENS, QKV),
    "attention_bias": (_own("Attention", "x w b _ _ a", num_heads=HEADS, scale=0.3), TOKENS, {**QKV, "a": BIAS}),
    "attention_mask": (
        _own("Attention", "x w b m", num_heads=HEADS),
        TOKENS,
        {**QKV, "m": np.array([[1, 1, 0, 1], [1, 1, 1, 0]], np.int32)},
    ),
    "attention_lengths": (
        _own("Attention", "x w b m", num_heads=HEADS),
        TOKENS,
        {**QKV, "m": np.array([3, 2], np.int32)},
    ),
    "attention_ends": (
        _own("Attention", "x w b m", num_heads=HEADS),
        TOKENS,
        {**QKV, "m": np.array([3, 4, 0, 1], np.int32)},
    ),
    "attention_past": (
        _own("Attention", "x w b _ p", "y present", num_heads=HEADS, unidirectional=1),
        TOKENS,
        {**QKV, "p": random(2, BATCH, HEADS, 3, WIDTH // HEADS)},
    ),
    "heads": (_own("MultiHeadAttention", "x k v b", num_heads=HEADS), TOKENS, {**KV, "b": random(3 * WIDTH)}),
    "heads_causal": (_own("MultiHeadAttention", "x k v", num_heads=HEADS, unidirectional=1), TOKENS, KV),
    "heads_masked": (
        _own("MultiHeadAttention", "x k v _ m", "y pk pv", num_heads=HEADS),
        TOKENS,
        {**KV, "m": np.array([[1, 1, 0, 1], [1, 1, 1, 0]], np.int32)},
    ),
    "heads_bias": (_own("MultiHeadAttention", "x k v _ _ a", num_heads=HEADS), TOKENS, {**KV, "a": BIAS}),
    "rotary": (_own("RotaryEmbedding", "x p cos sin"), TOKENS, {**ANGLES, "p": POSITIONS[:, ::-1].copy()}),
    "rotary_interleaved": (
        _own("RotaryEmbedding", "x p cos sin", interleaved=1, num_heads=2),
        TOKENS,
        {**ANGLES, "p": np.array([3], np.int64)},
    ),
    "grouped": (
        _own("GroupQueryAttention", "x k v _ _ len all", "y pk pv", num_heads=2, kv_num_heads=1),
        (BATCH, STEPS, 16),
        {**KV, **LENGTHS},
    ),
    "grouped_turned": (
        _own("GroupQueryAttention", "x _ _ _ _ len all cos sin", "y pk pv", num_heads=2, kv_num_heads=1, do_rotary=1),
        (BATCH, STEPS, 64),
        {"cos": np.cos(random(9, 8)), "sin": np.sin(random(9, 8)), **LENGTHS},
    ),
    "grouped_window": (
        _own("GroupQueryAttention", "x k v _ _ len all", "y pk pv", num_heads=2, kv_num_heads=1, local_window_size=2),
        (BATCH, STEPS, 16),
        {**KV, **LENGTHS},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_rows(name: str, tmp_path: Path) -> None:
    one, shape, constants = CASES[name]
    outputs = [name for name in one.output if name]
    needed = {key: array for key, array in constants.items() if key in one.input}
    proto = model(graph([one], {"x": ("float32", shape)}, outputs, needed))
    assert_same(proto, {"x": random(*shape, seed=1)}, tmp_path)


def test_embeddings_of_tokens(tmp_path: Path) -> None:
    inputs = "ids segments words places kinds g e mask"
    one = _own("EmbedLayerNormalization", inputs, "y lengths sum", epsilon=1e-5)
    takes = {name: ("int32", ["n", STEPS]) for name in ("ids", "segments", "mask")}
    constants = {"words": _weight(9, WIDTH), "places": _weight(6, WIDTH), "kinds": _weight(2, WIDTH)}
    proto = model(graph([one], takes, ["y", "lengths", "sum"], {**constants, "g": NORM["g"], "e": NORM["e"]}))
    generator = np.random.default_rng(0)
    feeds = {
        name: generator.integers(0, high, (BATCH, STEPS), np.int32) for name, high in (("ids", 9), ("segments", 2))
    }
    assert_same(proto, {**feeds, "mask": np.array([[1, 1, 1, 0], [1, 1, 0, 0]], np.int32)}, tmp_path)


def test_what_the_optimiser_writes(tmp_path: Path) -> None:
    """A convolution, a GELU of parts and a sum with a norm behind it become operators of its own domain."""
    nodes = [node("Conv", "x w b", "c"), node("Relu", "c", "r"), node("Reshape", "r rows", "t")]
    nodes += [node("MatMul", "t m", "tm"), node("Add", "tm e", "a"), node("Div", "a root", "d"), node("Erf", "d", "f")]
    nodes += [node("Add", "f one", "f1"), node("Mul", "a f1", "p"), node("Mul", "p half", "g")]
    nodes += [node("Add", "g t", "s"), node("LayerNormalization", "s scale shift", "y")]
    constants: dict[str, Any] = {"w": _weight(4, 3, 3, 3), "b": _weight(4), "rows": [0, -1, 16], "m": _weight(16, 16)}
    constants |= {"e": _weight(16), "scale": _weight(16), "shift": random(16), "one": np.float32(1)}
    constants |= {"root": np.float32(np.sqrt(2)), "half": np.float32(0.5)}
    onnx.save(model(graph(nodes, {"x": ("float32", IMAGE)}, ["y"], constants), 17, 8), tmp_path / "plain.onnx")
    onnx_runtime(tmp_path / "plain.onnx", tmp_path / "optimised.onnx")
    proto = onnx.load(tmp_path / "optimised.onnx")
    assert {one.op_type for one in proto.graph.node if one.domain == OWN} >= {
        "FusedConv",
        "Gelu",
        "SkipLayerNormalization",
    }
    assert_same(proto, {"x": random(*IMAGE)}, tmp_path)
