"""What ONNX Runtime's optimiser writes."""

from __future__ import annotations

import numpy as np

from benchmarks.onnx_fuzz.drawing import Draw, Fixed, Given, Node, Row, fixed


def skip_normalization(draw: Draw) -> Node:
    x, skip = (draw.normal(2, 3, 4) for _ in range(2))
    weights: list[Given] = [Fixed(draw.normal(4)) for _ in range(3)]
    kept = draw.randint(1, 3)
    return Node([x, skip, *weights[:kept]], draw.some(epsilon=[1e-5, 0.1]))


def bias_gelu(draw: Draw) -> Node:
    return Node([draw.normal(2, 3, 4), Fixed(draw.normal(4))])


def fused_matmul(draw: Draw) -> Node:
    turned = [draw.choice([0, 1]) for _ in range(2)]
    shapes = ((4, 3) if turned[0] else (3, 4), (5, 4) if turned[1] else (4, 5))
    first, second = (draw.normal(2, *shape) for shape in shapes)
    attributes = {"transA": turned[0], "transB": turned[1]} | draw.some(alpha=[0.5, 2.0])
    return Node([first, draw.either(second)], attributes)


def fused_convolution(draw: Draw) -> Node:
    attributes = {"activation": draw.choice(["Relu", "Tanh", "Sigmoid"]), "kernel_shape": [3, 3]}
    given: list[Given] = [draw.normal(2, 3, 6, 5), Fixed(draw.normal(4, 3, 3, 3)), Fixed(draw.normal(4))]
    return Node(given, attributes | draw.some(pads=[[1, 1, 1, 1], [0, 1, 1, 0]], strides=[[2, 1]]))


def fused_gemm(draw: Draw) -> Node:
    turned = draw.choice([0, 1])
    given: list[Given] = [draw.normal(3, 4), Fixed(draw.normal(*((5, 4) if turned else (4, 5)))), Fixed(draw.normal(5))]
    activation = {"activation": draw.choice(["Relu", "Tanh", "Sigmoid"])}
    return Node(given, {"transB": turned} | activation | draw.some(alpha=[0.5], beta=[2.0]))


def simplified(draw: Draw) -> Node:
    shape, axis = (2, 3, 4), draw.choice([-1, 2])
    return Node([draw.normal(*shape), Fixed(draw.normal(4))], {"axis": axis} | draw.some(epsilon=[1e-5, 0.1]))


def skip_simplified(draw: Draw) -> Node:
    weights: list[Given] = [Fixed(draw.normal(4)) for _ in range(draw.randint(1, 2))]
    return Node([draw.normal(2, 3, 4), draw.normal(2, 3, 4), *weights], draw.some(epsilon=[1e-5, 0.1]))


def rotary(draw: Draw) -> Node:
    x = draw.normal(2, 3, 8)
    places = draw.integers(0, 6, 2, 3) if draw.chance() else draw.integers(0, 3, 1)
    tables: list[Given] = [Fixed(draw.normal(8, 2)) for _ in range(2)]
    return Node([x, Fixed(places), *tables], {"num_heads": 2} | draw.some(interleaved=[0, 1]))


def attention(draw: Draw) -> Node:
    given: list[Given] = [draw.normal(2, 3, 8), Fixed(draw.normal(8, 24)), Fixed(draw.normal(24))]
    if draw.chance():
        lengths = draw.integers(1, 4, 2).astype(np.int32)
        given.append(draw.choice([Fixed(lengths), (draw.integers(0, 2, 2, 3) | np.array([1, 0, 0])).astype(np.int32)]))
    return Node(given, {"num_heads": 2} | draw.some(unidirectional=[0, 1], scale=[0.3]))


def several_heads(draw: Draw) -> Node:
    given: list[Given] = [draw.normal(2, 3, 8), draw.normal(2, 4, 8), draw.normal(2, 4, 8)]
    if draw.chance():
        given.append(Fixed(draw.normal(24)))
    return Node(given, {"num_heads": 2} | draw.some(scale=[0.3]))


def grouped_queries(draw: Draw) -> Node:
    """Without a past, of rows that are all as long."""
    length = 3
    given: list[Given] = [draw.normal(2, length, width) for width in (32, 16, 16)]
    given += [None, None]
    given += [Fixed(np.full(2, length - 1, np.int32)), Fixed(np.array(length, np.int32))]
    return Node(given, {"num_heads": 4, "kv_num_heads": 2} | draw.some(scale=[0.3], softcap=[2.0]), outputs=3)


def embedded(draw: Draw) -> Node:
    ids, segments = draw.integers(0, 6, 2, 3).astype(np.int32), draw.integers(0, 2, 2, 3).astype(np.int32)
    tables: list[Given] = [Fixed(draw.normal(rows, 4)) for rows in (6, 5, 2)]
    weights: list[Given] = [Fixed(draw.normal(4)) for _ in range(2)]
    return Node([ids, segments, *tables, *weights], draw.some(epsilon=[1e-5, 0.1]), outputs=2)


def of_few_bits(draw: Draw) -> Node:
    """A product with levels of 4 bits, in blocks of 16 along 32 rows."""
    levels = Fixed(draw.integers(0, 256, 5, 2, 8).astype(np.uint8))
    given: list[Given] = [draw.normal(2, 3, 32), levels, Fixed(draw.positive(10))]
    if draw.chance():
        given.append(Fixed(draw.integers(0, 256, 5).astype(np.uint8)))
    return Node(given, {"K": 32, "N": 5, "bits": 4, "block_size": 16})


FUSED: dict[str, Row] = {
    "SkipLayerNormalization": skip_normalization,
    "SkipSimplifiedLayerNormalization": skip_simplified,
    **dict.fromkeys(("BiasGelu", "FastGelu"), bias_gelu),
    **dict.fromkeys(("Gelu", "QuickGelu"), lambda draw: Node([draw.normal(2, 3, 4)])),
    **dict.fromkeys(("FusedMatMul", "TransposeMatMul"), fused_matmul),
    "FusedConv": fused_convolution,
    "FusedGemm": fused_gemm,
    "RotaryEmbedding": rotary,
    "Attention": attention,
    "MultiHeadAttention": several_heads,
    "GroupQueryAttention": grouped_queries,
    "EmbedLayerNormalization": embedded,
    "MatMulNBits": of_few_bits,
    "Trilu": lambda draw: Node([draw.normal(2, 3, 4), fixed(draw.randint(-2, 2))], draw.some(upper=[0, 1])),
}
"""Rows of ``com.microsoft``."""

OF_ONNX: dict[str, Row] = {"SimplifiedLayerNormalization": simplified}
"""Rows that are of ONNX's domain in ONNX Runtime alone."""
