"""Numbers of 8 bits: made, read, and computed with."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.onnx_fuzz.drawing import Array, Draw, Fixed, Given, Node, Row, fixed


def quantize(draw: Draw) -> Node:
    given, attributes, opsets = _levels(draw)
    return Node([3 * draw.normal(2, 4, 6), *given], attributes, opsets)


def dequantize(draw: Draw) -> Node:
    given, attributes, opsets = _levels(draw)
    zero = given[1]
    levels = draw.integers(0, 100, 2, 4, 6).astype(np.uint8 if zero is None else zero.array.dtype)
    return Node([draw.either(levels), *given], attributes, opsets)


def _levels(draw: Draw) -> tuple[list[Fixed | None], dict[str, Any], tuple[int, int]]:
    """Scale and zero point of a tensor (2, 4, 6): of all, of an axis, or of blocks of two along it."""
    dtype, kind = draw.choice([np.int8, np.uint8, np.int16]), draw.choice(["all", "axis", "blocks"])
    since = 21 if dtype is np.int16 or kind == "blocks" else 13 if kind == "axis" else 10
    axis, attributes = draw.choice([1, 2, -1, -2]), dict[str, Any]()
    shape: tuple[int, ...] = ()
    if kind != "all":
        attributes["axis"] = axis
        shape = ((2, 4, 6)[axis],)
    if kind == "blocks":
        attributes["block_size"] = 2
        sizes = [2, 4, 6]
        sizes[axis] //= 2
        shape = tuple(sizes)
    scale = Fixed(np.float32(0.05) + np.abs(draw.normal(*shape)))
    zero = None if dtype is np.uint8 and draw.chance(0.3) else Fixed(draw.integers(0, 5, *shape).astype(dtype))
    return [scale, zero], attributes, (since, 24)


def _scaled(draw: Draw) -> list[Fixed]:
    """A scale, of which no result lies half-way between two levels, and a zero point of uint8."""
    return [fixed(draw.uniform(0.02, 0.12), np.float32), fixed(draw.randint(90, 160), np.uint8)]


def _some_levels(draw: Draw, *shape: int) -> Array:
    return draw.integers(0, 256, *shape).astype(np.uint8)


def of_two(draw: Draw) -> Node:
    first, second = _some_levels(draw, 2, 3, 4), _some_levels(draw, *draw.choice([(2, 3, 4), (4,), (3, 1)]))
    return Node([first, *_scaled(draw), second, *_scaled(draw), *_scaled(draw)])


def of_one(draw: Draw) -> Node:
    return Node([_some_levels(draw, 2, 3, 4), *_scaled(draw), *_scaled(draw)])


def leaky(draw: Draw) -> Node:
    return Node(of_one(draw).inputs, draw.some(alpha=[0.1, 0.5]))


def softmax(draw: Draw) -> Node:
    given: list[Given] = [_some_levels(draw, 2, 3, 4), *_scaled(draw), fixed(1 / 256, np.float32), fixed(0, np.uint8)]
    return Node(given, {"axis": draw.choice([-1, 1]), "opset": 13})


def concat(draw: Draw) -> Node:
    parts = [(_some_levels(draw, 2, 3, 4), *_scaled(draw)) for _ in range(2)]
    return Node([*_scaled(draw), *parts[0], *parts[1]], {"axis": draw.choice([1, 2])})


def global_average(draw: Draw) -> Node:
    return Node([_some_levels(draw, 2, 3, 4, 5), *_scaled(draw), *_scaled(draw)], {"channels_last": 0})


def average(draw: Draw) -> Node:
    attributes = {"kernel_shape": [2, 3]} | draw.some(strides=[[2, 1]], pads=[[1, 1, 0, 1]], count_include_pad=[0, 1])
    return Node([_some_levels(draw, 2, 3, 6, 5), *_scaled(draw), *_scaled(draw)], attributes)


def product(draw: Draw) -> Node:
    signed, columns = draw.chance(), draw.choice([(), (5,)])
    kind = np.int8 if signed else np.uint8
    second = draw.integers(-128 if signed else 0, 128 if signed else 256, 4, 5).astype(kind)
    scale, zero = Fixed(draw.positive(*columns) / 10), Fixed(np.zeros(columns, kind))
    return Node([_some_levels(draw, 2, 3, 4), *_scaled(draw), Fixed(second), scale, zero, *_scaled(draw)], {}, (10, 24))


def convolution(draw: Draw) -> Node:
    weights, channels = Fixed(draw.integers(-128, 128, 4, 3, 3, 3).astype(np.int8)), draw.choice([(), (4,)])
    scale, zero = Fixed(draw.positive(*channels) / 50), Fixed(np.zeros(channels, np.int8))
    bias = Fixed(draw.integers(-999, 999, 4).astype(np.int32)) if draw.chance() else None
    attributes = draw.some(strides=[[2, 1]], pads=[[1, 0, 1, 1]], dilations=[[1, 2]])
    given = [_some_levels(draw, 2, 3, 7, 8), *_scaled(draw), weights, scale, zero, *_scaled(draw), bias]
    return Node(given, attributes, (10, 24))


def whole_convolution(draw: Draw) -> Node:
    x, weights = _some_levels(draw, 2, 3, 6, 5), Fixed(draw.integers(0, 256, 4, 3, 2, 2).astype(np.uint8))
    zeros = [fixed(draw.randint(0, 200), np.uint8) for _ in range(draw.randint(0, 2))]
    return Node([x, weights, *zeros], draw.some(pads=[[1, 0, 1, 1]], strides=[[1, 2]]), (10, 24))


def whole_product(draw: Draw) -> Node:
    second = Fixed(draw.integers(-128, 128, 4, 5).astype(np.int8))
    zeros = [fixed(draw.randint(0, 200), np.uint8), fixed(0, np.int8)][: draw.randint(0, 2)]
    return Node([_some_levels(draw, 2, 3, 4), second, *zeros], {}, (10, 24))


LEVELS: dict[str, Row] = {
    "QuantizeLinear": quantize,
    "DequantizeLinear": dequantize,
    "QLinearMatMul": product,
    "QLinearConv": convolution,
    "ConvInteger": whole_convolution,
    "MatMulInteger": whole_product,
}
"""Rows of ONNX's own domain."""

OF_MICROSOFT: dict[str, Row] = {
    **dict.fromkeys(("QLinearAdd", "QLinearMul"), of_two),
    "QLinearSigmoid": of_one,
    "QLinearLeakyRelu": leaky,
    "QLinearSoftmax": softmax,
    "QLinearConcat": concat,
    "QLinearGlobalAveragePool": global_average,
    "QLinearAveragePool": average,
}
"""Rows of ``com.microsoft``."""
