"""Support vector machines of ONNX files, against ONNX Runtime: sums of kernels, and the class that pairs vote for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

import fgcompile
from fgcompile.errors import UnsupportedOpError
from tests.compiler.capture.onnx.files import assert_same, graph, model, node, random

KERNELS = ["LINEAR", "POLY", "SIGMOID", "RBF"]
TABLE = {"x": ("float32", [None, 4])}


def machine(operator: str, outputs: str, **attributes: Any) -> onnx.ModelProto:
    attributes = {"kernel_params": [0.3, 0.2, 3.0], "support_vectors": random(6 * 4).tolist(), **attributes}
    proto = model(graph([node(operator, "x", outputs, "ai.onnx.ml", **attributes)], TABLE, outputs.split()))
    proto.opset_import.append(helper.make_opsetid("ai.onnx.ml", 1))
    return proto


def classifier(classes: list[int], **attributes: Any) -> onnx.ModelProto:
    count = len(classes)
    pairs = count * (count - 1) // 2
    own: dict[str, Any] = {"coefficients": random((count - 1) * 6, seed=1).tolist(), "rho": random(pairs).tolist()}
    own |= {"vectors_per_class": classes, "classlabels_ints": list(range(10, 10 + count))}
    return machine("SVMClassifier", "label y", **own | attributes)


def regressor(**attributes: Any) -> onnx.ModelProto:
    own = {"coefficients": random(6, seed=1).tolist(), "rho": [0.3], "n_supports": 6}
    return machine("SVMRegressor", "y", **own | attributes)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("classes", [[2, 1, 3], [1, 2, 1, 2]], ids=["three", "four"])
def test_classes_and_scores_of_pairs(classes: list[int], kernel: str, tmp_path: Path) -> None:
    for kind in ("NONE", "LOGISTIC", "SOFTMAX"):
        assert_same(classifier(classes, kernel_type=kernel, post_transform=kind), {"x": random(9, 4)}, tmp_path)


@pytest.mark.parametrize("kernel", KERNELS)
def test_sums_of_kernels(kernel: str, tmp_path: Path) -> None:
    assert_same(regressor(kernel_type=kernel), {"x": random(5, 4)}, tmp_path)


def test_a_regressor_without_support_vectors_is_linear(tmp_path: Path) -> None:
    proto = regressor(coefficients=random(4).tolist(), n_supports=0, support_vectors=[0.0])
    assert_same(proto, {"x": random(5, 4)}, tmp_path)


def test_a_regressor_has_the_gradient_of_its_kernels(tmp_path: Path) -> None:
    onnx.save(regressor(kernel_type="RBF"), tmp_path / "network.onnx")
    x, vectors, weights = random(2, 4), random(6 * 4).reshape(6, 4), random(6, seed=1)
    apart = x[:, None] - vectors
    kernels = weights * np.exp(-0.3 * (apart**2).sum(-1))
    terms = fgcompile.full_gradient(tmp_path / "network.onnx", x, target=0)
    np.testing.assert_allclose(terms.input_gradient, (-0.6 * kernels[..., None] * apart).sum(1), atol=1e-5)


_REFUSED = {
    "two classes": (classifier([2, 4]), "first of its two scores is high where its class is the second.*LinearSVC"),
    "probabilities": (classifier([2, 1, 3], prob_a=[0.1] * 3, prob_b=[0.2] * 3), "probability=False"),
    "a sign": (regressor(one_class=1), "makes a sign"),
}


@pytest.mark.parametrize("case", _REFUSED)
def test_what_has_no_derivative_is_refused(case: str, tmp_path: Path) -> None:
    proto, message = _REFUSED[case]
    onnx.save(proto, tmp_path / "network.onnx")
    with pytest.raises(UnsupportedOpError, match=message):
        fgcompile.compile(tmp_path / "network.onnx", output="y")
