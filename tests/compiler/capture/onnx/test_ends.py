"""How files end that no explanation can begin at: what is refused names the node and what to explain in its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

import fgcompile
from fgcompile.compiler.capture.onnx.read import read_onnx
from fgcompile.errors import CaptureError, SourceError, UnsupportedOpError
from tests.compiler.capture.onnx.files import graph, model, node, onnx_runtime, random

TABLE = {"x": ("float32", ["n", 4])}
LAYER = node("MatMul", "x w", "m")
WEIGHTS: dict[str, Any] = {"w": random(4, 3)}


def saved(folder: Path, nodes: Any, inputs: Any = None, constants: Any = None, opset: int = 21) -> Path:
    path = folder / "network.onnx"
    onnx.save(model(graph(nodes, inputs or TABLE, ["y"], WEIGHTS | (constants or {})), opset), path)
    return path


def test_what_names_classes_is_explained_in_front_of_their_numbers(tmp_path: Path) -> None:
    """As scikit-learn's networks are written."""
    nodes = [LAYER, node("Softmax", "m", "p"), node("ArgMax", "p", "number", axis=1)]
    ml = {"domain": "ai.onnx.ml"}
    nodes += [node("ArrayFeatureExtractor", "names number", "label", **ml), node("ZipMap", "p", "y", **ml)]
    nodes += [node("TreeEnsemble", "p", "steps", **ml), node("CategoryMapper", "label", "text", **ml)]
    of = graph(nodes, TABLE, ["text", "steps", "y"], WEIGHTS | {"names": np.array([3, 5, 7])})
    onnx.save(model(of), tmp_path / "network.onnx")
    with pytest.raises(UnsupportedOpError, match=r"TreeEnsemble.*CategoryMapper.*--explained NAME: 'p'$"):
        fgcompile.compile(tmp_path / "network.onnx")
    assert fgcompile.compile(tmp_path / "network.onnx", output="p").metadata["model"]["explained"] == "p"


def test_boxes_that_are_chosen_by_their_overlap_are_explained_in_front_of_it(tmp_path: Path) -> None:
    constants = {"shape": np.array([0, 3, 4]), "axis": np.array([2]), "most": np.array([3]), "w": random(4, 12)}
    nodes = [
        *[node("MatMul", "x w", "m"), node("Reshape", "m shape", "boxes"), node("ReduceMax", "boxes axis", "best")],
        *[node("Transpose", "best", "scores", perm=[0, 2, 1]), node("NonMaxSuppression", "boxes scores most", "y")],
    ]
    path = saved(tmp_path, nodes, constants=constants)
    with pytest.raises(UnsupportedOpError, match=r"NonMaxSuppression .* --explained NAME: 'boxes' or 'scores'"):
        fgcompile.compile(path)
    assert fgcompile.compile(path, output="scores").metadata["model"]["explained"] == "scores"


@pytest.mark.filterwarnings("error")  # that ONNX Runtime does not run the file would be wrong
def test_places_that_values_say_are_said_of_the_node_that_finds_them(tmp_path: Path) -> None:
    path = saved(tmp_path, [LAYER, node("NonZero", "m", "found"), node("Cast", "found", "y", to=1)])
    with pytest.raises(UnsupportedOpError, match="'Cast_y': it takes the places that NonZero 'NonZero_found' finds"):
        fgcompile.compile(path)


def test_old_opsets_say_how_to_convert_them(tmp_path: Path) -> None:
    path = saved(tmp_path, [LAYER, node("Tanh", "m", "y")], opset=6)
    with pytest.raises(SourceError, match=r"of opset 6, .*convert_version"):
        fgcompile.compile(path)


def test_an_axis_that_may_be_no_batch_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path, [node("MatMul", "m x", "y")], {"x": ("float32", [4, 3])}, {"m": random(2, 4)})
    with pytest.raises(CaptureError, match=r"fixes the batch at 4 \(the first axis of 'x'; .* --layout\)"):
        fgcompile.compile(path)


@pytest.mark.parametrize(
    ("operator", "options"), [("QLinearSoftmax", {"axis": -1, "opset": 13}), ("QLinearSigmoid", {})]
)
def test_probabilities_of_levels_have_logits(operator: str, options: dict[str, Any], tmp_path: Path) -> None:
    constants = {"s": np.float32(0.05), "z": np.uint8(120), "ps": np.float32(1 / 256), "pz": np.uint8(0)}
    nodes = [
        *[LAYER, node("QuantizeLinear", "m s z", "q"), node(operator, "q s z ps pz", "p", "com.microsoft", **options)],
        node("DequantizeLinear", "p ps pz", "y"),
    ]
    path, x = saved(tmp_path, nodes, constants=constants), random(3, 4)
    artifact = fgcompile.compile(path, outputs=("logits", "saliency", "residual"))
    assert artifact.metadata["model"]["explained"] == f"q, the logits that {operator} makes 'y' of"
    artifact.save(tmp_path / "artifact.onnx")
    explanation = fgcompile.load(tmp_path / "artifact.onnx").explain(x)
    levels = np.clip(np.round(x @ WEIGHTS["w"] / 0.05), -120, 135)
    np.testing.assert_allclose(explanation.logits, 0.05 * levels, atol=1e-6)
    assert fgcompile.verify(tmp_path / "artifact.onnx", path, x).passed
    likely = onnx_runtime(path).run(None, {"x": x})[0].argmax(1)
    assert (explanation.logits.argmax(1) == likely).all()


def test_floats_of_64_bits_are_explained_in_32(tmp_path: Path) -> None:
    weights = {"w": random(4, 3).astype(np.float64)}
    path = saved(tmp_path, [LAYER, node("Tanh", "m", "y")], {"x": ("float64", ["n", 4])}, weights)
    fgcompile.compile(path).save(tmp_path / "artifact.onnx")
    x = random(3, 4)
    logits = fgcompile.load(tmp_path / "artifact.onnx").explain(x).logits
    np.testing.assert_allclose(logits, onnx_runtime(path).run(None, {"x": x.astype(np.float64)})[0], rtol=1e-5)


def _softmax(kept: int) -> list[onnx.NodeProto]:
    return [
        *[LAYER, node("ReduceMax", "m axis", "top", keepdims=kept), node("Max", "low top", "bound")],
        *[node("Reshape", "bound column", "tops"), node("Sub", "m tops", "s"), node("Exp", "s", "e")],
        *[node("ReduceSum", "e axis", "t", keepdims=kept), node("Reshape", "t column", "all")],
        node("Div", "e all", "y"),
    ]


_SIGMOID = [LAYER, node("Neg", "m", "n"), node("Exp", "n", "e"), node("Add", "e one", "p")]
_WRITTEN = {
    "softmax, as from JAX": (_softmax(0), "Softmax"),
    "softmax": (
        [LAYER, node("Exp", "m", "e"), node("ReduceSum", "e axis", "t", keepdims=1), node("Div", "e t", "y")],
        "Softmax",
    ),
    "sigmoid": ([*_SIGMOID, node("Div", "one p", "y")], "Sigmoid"),
    "sigmoid by its reciprocal": ([*_SIGMOID, node("Reciprocal", "p", "y")], "Sigmoid"),
}
_NUMBERS = {"axis": np.array([-1]), "low": np.float32(-np.inf), "column": np.array([-1, 1]), "one": np.float32(1)}


@pytest.mark.parametrize("form", _WRITTEN)
def test_probabilities_that_are_written_out_have_logits(form: str, tmp_path: Path) -> None:
    nodes, operator = _WRITTEN[form]
    path, x = saved(tmp_path, nodes, constants=_NUMBERS), random(3, 4)
    terms = fgcompile.full_gradient(path, torch.from_numpy(x), target=1)
    np.testing.assert_allclose(terms.output, x @ WEIGHTS["w"], atol=1e-6)
    np.testing.assert_allclose(terms.input_gradient, np.broadcast_to(WEIGHTS["w"][:, 1], (3, 4)), atol=1e-6)
    described = fgcompile.compile(path).metadata["model"]["explained"]
    assert described == f"m, the logits that {operator} makes 'y' of"


_SHARES = {
    "of the samples": [LAYER, node("Exp", "m", "e"), node("ReduceSum", "e first", "t"), node("Div", "e t", "y")],
    "of another sum": [
        *[LAYER, node("Exp", "m", "e"), node("Tanh", "m", "o"), node("Exp", "o", "f")],
        *[node("ReduceSum", "f axis", "t", keepdims=1), node("Div", "e t", "y")],
    ],
    "of a sum with more": [*_SIGMOID, node("Add", "p e", "q"), node("Div", "one q", "y")],
}


@pytest.mark.parametrize("form", _SHARES)
def test_other_quotients_are_explained_themselves(form: str, tmp_path: Path) -> None:
    path = saved(tmp_path, _SHARES[form], constants=_NUMBERS | {"first": np.array([0])})
    assert read_onnx(path).explained.name == "y"
