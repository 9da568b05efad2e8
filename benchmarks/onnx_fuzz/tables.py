"""Operators of tables of features, and linear models."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.onnx_fuzz.drawing import Array, Draw, Node, Row, fixed

KINDS = ["NONE", "SOFTMAX", "LOGISTIC"]


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
    return Node([np.abs(_table(draw)) + 1], draw.some(norm=["MAX", "L1", "L2"]))


def encoder(draw: Draw) -> Node:
    keys = draw.sample(range(6), 3)
    given = [draw.integers(0, 6, 2, 3)]
    if draw.chance():
        return Node(given, {"keys_int64s": keys, "values_int64s": draw.sample(range(9), 3), "default_int64": 7})
    return Node(given, {"keys_int64s": keys, "values_floats": draw.normal(3).tolist()})


def support_vectors(draw: Draw) -> dict[str, Any]:
    kernel = draw.choice(["LINEAR", "POLY", "SIGMOID", "RBF"])
    return {"kernel_type": kernel, "kernel_params": [0.3, 0.2, 3.0], "support_vectors": draw.normal(6 * 4).tolist()}


def vector_classifier(draw: Draw) -> Node:
    classes = draw.choice([[2, 1, 3], [1, 2, 1, 2]])
    count = len(classes)
    weights = {"coefficients": draw.normal((count - 1) * 6), "rho": draw.normal(count * (count - 1) // 2)}
    attributes = support_vectors(draw) | {name: each.tolist() for name, each in weights.items()}
    attributes |= {"vectors_per_class": classes, "classlabels_ints": draw.sample(range(9), count)}
    return Node([draw.normal(3, 4)], attributes | draw.some(post_transform=KINDS), outputs=2)


def vector_regressor(draw: Draw) -> Node:
    weights = {"coefficients": draw.normal(6).tolist(), "rho": draw.normal(1).tolist(), "n_supports": 6}
    return Node([draw.normal(3, 4)], support_vectors(draw) | weights)


OF_ML: dict[str, Row] = {
    "LinearClassifier": linear_classifier,
    "LinearRegressor": linear_regressor,
    "SVMClassifier": vector_classifier,
    "SVMRegressor": vector_regressor,
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
