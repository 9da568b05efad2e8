"""Levels, tables of features, and what ONNX Runtime's optimiser writes."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.onnx_fuzz.drawing import Array, Draw, Fixed, Given, Node, Row, fixed

KINDS = ["NONE", "SOFTMAX", "LOGISTIC"]


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


def linear(draw: Draw) -> dict[str, Any]:
    rows = draw.choice([2, 3])
    return {"coefficients": draw.normal(rows * 4).tolist(), "intercepts": draw.normal(rows).tolist()}


def linear_classifier(draw: Draw) -> Node:
    weights = linear(draw)
    if draw.chance(0.3):
        weights = {"coefficients": draw.normal(4).tolist(), "intercepts": draw.normal(1).tolist()}
    names = draw.sample(range(10), max(2, len(weights["intercepts"])))
    attributes = weights | {"classlabels_ints": names} | draw.some(post_transform=KINDS)
    return Node([_table(draw)], attributes, outputs=2)


def linear_regressor(draw: Draw) -> Node:
    weights = linear(draw)
    return Node(
        [draw.normal(3, 4)], weights | {"targets": len(weights["intercepts"])} | draw.some(post_transform=KINDS)
    )


def imputer(draw: Draw) -> Node:
    values = draw.normal(draw.choice([1, 4])).tolist()
    x = draw.normal(3, 4)
    missing = draw.choice([float("nan"), 1.0])
    x[0, 1] = missing
    return Node([x], {"imputed_value_floats": values, "replaced_value_float": missing})


def scaler(draw: Draw) -> Node:
    count = draw.choice([1, 4])
    return Node([_table(draw)], {"offset": draw.normal(count).tolist(), "scale": draw.normal(count).tolist()})


def _table(draw: Draw) -> Array:
    x = 3 * draw.normal(3, 4)
    return x if draw.chance(0.7) else x.astype(draw.choice([np.int64, np.float64]))


def normalizer(draw: Draw) -> Node:
    return Node([_table(draw)], draw.some(norm=["MAX", "L1", "L2"]))


def encoder(draw: Draw) -> Node:
    keys = draw.sample(range(6), 3)
    given = [draw.integers(0, 6, 2, 3)]
    if draw.chance():
        return Node(given, {"keys_int64s": keys, "values_int64s": draw.sample(range(9), 3), "default_int64": 7})
    return Node(given, {"keys_int64s": keys, "values_floats": draw.normal(3).tolist()})


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


OTHERS: dict[str, Row] = {"QuantizeLinear": quantize, "DequantizeLinear": dequantize}
"""Rows by operator, of ONNX's own domain."""

OF_ML: dict[str, Row] = {
    "LinearClassifier": linear_classifier,
    "LinearRegressor": linear_regressor,
    "Imputer": imputer,
    "Scaler": scaler,
    "Normalizer": normalizer,
    "LabelEncoder": encoder,
    "Binarizer": lambda draw: Node([draw.normal(3, 4)], draw.some(threshold=[0.0, 0.5])),
    "ArrayFeatureExtractor": lambda draw: Node([draw.normal(3, 4), fixed(draw.sample(range(4), 2))]),
    "FeatureVectorizer": lambda draw: Node([draw.normal(3, 2), draw.normal(3, 4)], {"inputdimensions": [2, 4]}),
    "OneHotEncoder": lambda draw: Node([draw.integers(0, 5, 3, 2)], {"cats_int64s": draw.sample(range(5), 3)}),
}
"""Rows of ``ai.onnx.ml``."""

OF_MICROSOFT: dict[str, Row] = {
    "SkipLayerNormalization": skip_normalization,
    **dict.fromkeys(("BiasGelu", "FastGelu"), bias_gelu),
    **dict.fromkeys(("Gelu", "QuickGelu"), lambda draw: Node([draw.normal(2, 3, 4)])),
    "FusedMatMul": fused_matmul,
    "FusedConv": fused_convolution,
}
"""Rows of ``com.microsoft``."""
