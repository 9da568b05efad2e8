"""Networks and linear models of tables, as scikit-learn's converter writes them: classes and probabilities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import fgcompile
from fgcompile.errors import ScoreError, SourceError, UnsupportedOpError
from tests.compiler.capture.onnx.files import Array, assert_same, graph, model, node, onnx_runtime, random
from tests.support.sweeps import crossed

ML = "ai.onnx.ml"
NUMBERS: dict[str, Any] = {"classlabels_ints": [3, 5, 7]}
TEXTS: dict[str, Any] = {"classlabels_strings": ["setosa", "versicolor", "virginica"]}
LINEAR: dict[str, Any] = {"coefficients": random(3, 4, seed=1).ravel().tolist(), "intercepts": [0.1, -0.2, 0.3]}
ONE: dict[str, Any] = {"coefficients": random(4, seed=1).tolist(), "intercepts": [0.1], "classlabels_ints": [2, 9]}


def table_model(nodes: Any, outputs: dict[str, Any], constants: Any = None, dtype: str = "float32") -> onnx.ModelProto:
    """A file that takes a table x of four features; outputs are of ONNX's types, or of maps, where the type is None."""
    proto = model(graph(nodes, {"x": (dtype, [None, 4])}, list(outputs), constants))
    proto.opset_import.append(helper.make_opsetid(ML, 1))
    for value in proto.graph.output:
        kind = outputs[value.name]
        plain = helper.make_tensor_type_proto(kind or TensorProto.FLOAT, [None] if kind != TensorProto.FLOAT else None)
        mapped = helper.make_sequence_type_proto(helper.make_map_type_proto(TensorProto.INT64, plain))
        value.type.CopyFrom(plain if kind else mapped)
    return proto


def saved(proto: onnx.ModelProto, folder: Path) -> Path:
    onnx.save(proto, folder / "network.onnx")
    return folder / "network.onnx"


def logistic(folder: Path, kind: str = "SOFTMAX", names: Any = None, mapped: bool = False) -> Path:
    """As StandardScaler and LogisticRegression are written."""
    names = names or NUMBERS
    nodes = [
        node("Scaler", "x", "s", ML, offset=[0.1, 0.2, 0.3, 0.4], scale=[2.0, 1.0, 0.5, 3.0]),
        node("LinearClassifier", "s", "label t", ML, multi_class=1, post_transform=kind, **LINEAR, **names),
        node("Normalizer", "t", "p", ML, norm="L1"),
    ]
    label = TensorProto.INT64 if names is NUMBERS else TensorProto.STRING
    if not mapped:
        return saved(table_model(nodes, {"label": label, "p": TensorProto.FLOAT}), folder)
    keys = {name.replace("_ints", "_int64s"): value for name, value in names.items()}
    nodes.append(node("ZipMap", "p", "y", ML, **keys))
    return saved(table_model(nodes, {"label": label, "y": None}), folder)


def explained(path: Path, x: Array, **options: Any) -> Any:
    """The artifact's explanation, which ``verify`` holds to the file."""
    fgcompile.compile(path, **options).save(path.with_name("artifact.onnx"))
    assert fgcompile.verify(path.with_name("artifact.onnx"), path, x).passed
    return fgcompile.load(path.with_name("artifact.onnx")).explain(x)


def softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(powers / powers.sum(1, keepdims=True))


@pytest.mark.parametrize(("names", "mapped"), crossed([NUMBERS, TEXTS], [False, True]))
def test_probabilities_of_a_linear_classifier_have_logits(names: Any, mapped: bool, tmp_path: Path) -> None:
    path, x = logistic(tmp_path, names=names, mapped=mapped), random(5, 4)
    explanation = explained(path, x)
    probabilities = onnx_runtime(logistic(tmp_path, names=names)).run(["p"], {"x": x})[0]
    np.testing.assert_allclose(softmax(explanation.logits), probabilities, atol=1e-6)
    inner = (x - [0.1, 0.2, 0.3, 0.4]) * [2.0, 1.0, 0.5, 3.0]
    weights = np.reshape(LINEAR["coefficients"], (3, 4))
    np.testing.assert_allclose(explanation.logits, inner @ weights.T + LINEAR["intercepts"], atol=1e-5)
    described = fgcompile.load(path.with_name("artifact.onnx")).metadata
    assert described["model"]["explained"] == "t/logits, the logits that Softmax makes 'p' of"
    assert described["labels"] == (TEXTS["classlabels_strings"] if names is TEXTS else None)


def test_sigmoids_that_are_divided_by_their_sum_are_explained_themselves(tmp_path: Path) -> None:
    path, x = logistic(tmp_path, "LOGISTIC"), random(5, 4)
    np.testing.assert_allclose(explained(path, x).logits, onnx_runtime(path).run(["p"], {"x": x})[0], atol=1e-6)


@pytest.mark.parametrize("rows", [1, 2])
def test_a_sigmoid_of_two_classes_has_logits(rows: int, tmp_path: Path) -> None:
    weights, start = np.float32(ONE["coefficients"]), ONE["intercepts"]
    both = {"coefficients": [*-weights.astype(float), *weights.astype(float)], "intercepts": [-start[0], start[0]]}
    attributes = ONE | (both if rows == 2 else {})
    nodes = [node("LinearClassifier", "x", "label p", ML, post_transform="LOGISTIC", **attributes)]
    path = saved(table_model(nodes, {"label": TensorProto.INT64, "p": TensorProto.FLOAT}), tmp_path)
    x = random(5, 4)
    explanation = explained(path, x)
    np.testing.assert_allclose(explanation.logits[:, 1], x @ weights + start[0], atol=1e-5)
    np.testing.assert_allclose(explanation.logits[:, 0], -(x @ weights) - start[0], atol=1e-5)


def perceptron(folder: Path, texts: bool) -> Path:
    """As MLPClassifier of two classes is written: the second one's probability, beside its rest."""
    constants = {"w": random(4, 1), "b": np.float32([[0.2]]), "unity": np.float32(1), "shape": np.array([-1])}
    constants["classes"] = np.array(["no", "yes"]) if texts else np.int32([0, 1])
    nodes = [
        *[node("MatMul", "x w", "m"), node("Add", "m b", "z"), node("Sigmoid", "z", "one")],
        *[node("Sub", "unity one", "zero"), node("Concat", "zero one", "p", axis=1), node("ArgMax", "p", "a", axis=1)],
        *[node("ArrayFeatureExtractor", "classes a", "c", ML), node("Reshape", "c shape", "label")],
    ]
    label = TensorProto.STRING if texts else TensorProto.INT32
    return saved(table_model(nodes, {"label": label, "p": TensorProto.FLOAT}, constants), folder)


@pytest.mark.parametrize("texts", [False, True])
def test_a_perceptron_of_two_classes_has_logits(texts: bool, tmp_path: Path) -> None:
    path, x = perceptron(tmp_path, texts), random(5, 4)
    explanation, z = explained(path, x), x @ random(4, 1) + 0.2
    np.testing.assert_allclose(explanation.logits, np.concatenate([-z, z], 1), atol=1e-5)
    probabilities = onnx_runtime(path).run(["p"], {"x": x})[0]
    np.testing.assert_allclose(1 / (1 + np.exp(-explanation.logits)), probabilities, atol=1e-6)
    metadata = fgcompile.load(path.with_name("artifact.onnx")).metadata
    assert metadata["labels"] == (["no", "yes"] if texts else None)
    assert metadata["model"]["explained"] == "z, the logits that Sigmoid makes 'p' of"


def test_classes_come_along_as_numbers_and_texts_are_refused(tmp_path: Path) -> None:
    path, x = perceptron(tmp_path, texts=False), random(5, 4)
    artifact = fgcompile.compile(path, outputs=("logits", "saliency", "model"))
    artifact.save(tmp_path / "artifact.onnx")
    outputs = fgcompile.load(tmp_path / "artifact.onnx").explain(x).outputs
    np.testing.assert_array_equal(outputs["label"], onnx_runtime(path).run(["label"], {"x": x})[0])
    with pytest.raises(SourceError, match=r"output 'label' of texts.*leave 'model' out"):
        fgcompile.compile(perceptron(tmp_path, texts=True), outputs=("logits", "saliency", "model"))


def test_a_class_that_is_a_text_has_no_explanation(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedOpError, match="'label' is text, which has no gradient"):
        fgcompile.compile(logistic(tmp_path, names=TEXTS), output="label")


def test_probabilities_one_by_one_have_to_be_named(tmp_path: Path) -> None:
    """As with ``options={"zipmap": "columns"}``."""
    nodes = [node("LinearClassifier", "x", "label p", ML, post_transform="SOFTMAX", **LINEAR, **TEXTS)]
    nodes += [node("ArrayFeatureExtractor", f"p k{place}", f"p{place}", ML) for place in (0, 1)]
    outputs = {"label": TensorProto.STRING, "p0": TensorProto.FLOAT, "p1": TensorProto.FLOAT}
    path = saved(table_model(nodes, outputs, {"k0": np.array([0]), "k1": np.array([1])}), tmp_path)
    with pytest.raises(ScoreError, match=r"output= one of \['p0', 'p1'\]"):
        fgcompile.compile(path)
    x = random(5, 4)
    for name in ("p", "p1"):
        found = explained(path, x, output=name).logits
        np.testing.assert_allclose(found, onnx_runtime_of(path, name, x), atol=1e-6)


def onnx_runtime_of(path: Path, name: str, x: Array) -> Array:
    proto = onnx.load(path)
    del proto.graph.output[:]
    proto.graph.output.append(onnx.ValueInfoProto(name=name))
    onnx.save(proto, path.with_name("inner.onnx"))
    return np.asarray(onnx_runtime(path.with_name("inner.onnx")).run([name], {"x": x})[0])


def test_trees_are_refused_by_what_they_are(tmp_path: Path) -> None:
    nodes = [node("TreeEnsembleClassifier", "x", "label p", ML)]
    path = saved(table_model(nodes, {"label": TensorProto.INT64, "p": TensorProto.FLOAT}), tmp_path)
    with pytest.raises(UnsupportedOpError, match=r"TreeEnsembleClassifier.*; decisions of trees have no gradient$"):
        fgcompile.compile(path)


def assert_row(operator: str, x: Array, folder: Path, inputs: str = "x", constants: Any = None, **options: Any) -> None:
    """A single node as ONNX Runtime computes it."""
    outputs, version = options.pop("outputs", "y"), options.pop("version", 1)
    kind = {"float32": "float32", "int64": "int64", "float64": "float64"}[x.dtype.name]
    nodes = [node(operator, inputs, outputs, ML, **options)]
    proto = model(graph(nodes, {"x": (kind, list(x.shape))}, outputs.split(), constants))
    proto.opset_import.append(helper.make_opsetid(ML, version))
    assert_same(proto, {"x": x}, folder)


@pytest.mark.parametrize("kind", ["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"])
@pytest.mark.parametrize("weights", [LINEAR | NUMBERS, ONE], ids=["three", "one for two"])
def test_linear_classifiers(weights: Any, kind: str, tmp_path: Path) -> None:
    assert_row("LinearClassifier", random(5, 4), tmp_path, outputs="label y", post_transform=kind, **weights)


@pytest.mark.parametrize("dtype", ["float64", "int64"])
def test_linear_classifiers_take_numbers_of_all_kinds(dtype: str, tmp_path: Path) -> None:
    x = (3 * random(5, 4)).astype(dtype)
    assert_row("LinearClassifier", x, tmp_path, outputs="label y", **LINEAR, **NUMBERS)


@pytest.mark.parametrize("kind", ["NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"])
@pytest.mark.parametrize("targets", [1, 3])
def test_linear_regressors(targets: int, kind: str, tmp_path: Path) -> None:
    weights = {"coefficients": LINEAR["coefficients"][: 4 * targets], "intercepts": LINEAR["intercepts"][:targets]}
    assert_row("LinearRegressor", random(5, 4), tmp_path, targets=targets, post_transform=kind, **weights)


def test_a_probit_is_refused(tmp_path: Path) -> None:
    nodes = [node("LinearRegressor", "x", "y", ML, coefficients=[1.0] * 4, post_transform="PROBIT")]
    with pytest.raises(UnsupportedOpError, match=r"LinearRegressor 'LinearRegressor_y'.* by PROBIT"):
        fgcompile.compile(saved(table_model(nodes, {"y": TensorProto.FLOAT}), tmp_path))


@pytest.mark.parametrize("norm", ["MAX", "L1", "L2"])
@pytest.mark.parametrize("dtype", ["float32", "int64"])
def test_normalizers(norm: str, dtype: str, tmp_path: Path) -> None:
    x = (3 * random(5, 4)).astype(dtype)
    x[1], x[2] = 0, -abs(x[2])
    assert_row("Normalizer", x, tmp_path, norm=norm)


@pytest.mark.parametrize("missing", [float("nan"), 1.0])
@pytest.mark.parametrize("values", [[5.0], [5.0, 6.0, 7.0, 8.0]], ids=["one", "each"])
def test_missing_features_are_imputed(values: list[float], missing: float, tmp_path: Path) -> None:
    x = random(5, 4)
    x[0, 1] = missing
    assert_row("Imputer", x, tmp_path, imputed_value_floats=values, replaced_value_float=missing)


def test_whole_numbers_that_are_missing_are_imputed(tmp_path: Path) -> None:
    x = np.array([[1, 0, 2, 1]])
    assert_row("Imputer", x, tmp_path, imputed_value_int64s=[9], replaced_value_int64=1)


def test_features_become_bits_and_are_chosen(tmp_path: Path) -> None:
    assert_row("Binarizer", random(5, 4), tmp_path, threshold=0.25)
    assert_row("ArrayFeatureExtractor", random(5, 4), tmp_path, "x places", {"places": np.array([[3, 0]])})
    assert_row("ArrayFeatureExtractor", random(4), tmp_path, "x places", {"places": np.array([2])})
    assert_row("FeatureVectorizer", random(5, 4), tmp_path, "x x", inputdimensions=[4, 4])


def test_whole_numbers_stand_for_others(tmp_path: Path) -> None:
    x, keys = np.array([[3, 5, 8, 2]]), [2, 3, 5]
    assert_row("LabelEncoder", x, tmp_path, version=2, keys_int64s=keys, values_int64s=[20, 30, 50], default_int64=7)
    assert_row("LabelEncoder", x, tmp_path, version=2, keys_int64s=keys, values_floats=[0.2, 0.3, 0.5])
    assert_row("OneHotEncoder", x, tmp_path, cats_int64s=keys)
