"""Files of 8 bits, as ONNX Runtime's own quantiser writes them, beside ONNX Runtime on the file."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnxruntime import quantization
from onnxruntime.quantization import QuantFormat, QuantType

import fgcompile
from fgcompile.compiler.capture.onnx import comparison
from fgcompile.compiler.capture.onnx.by_node import differing_node
from fgcompile.compiler.capture.onnx.read import read_onnx
from fgcompile.errors import CaptureWarning, FgcompileError, UnsupportedOpError, VerificationError
from tests.compiler.capture.onnx.files import Array, graph, model, node, onnx_runtime, random
from tests.support.sweeps import few, quick

WEIGHTS: dict[str, Any] = {
    "w1": random(8, 3, 3, 3, seed=1),
    "b1": random(8, seed=2),
    "w2": random(8, 8, 1, 1, seed=3),
    "m": random(8, 5, seed=4),
    "n": random(5, seed=5),
    "axes": np.array([2, 3]),
}
NODES = [
    node("Conv", "x w1 b1", "c", pads=[1] * 4),
    node("Relu", "c", "r"),
    node("MaxPool", "r", "p", kernel_shape=[2, 2], strides=[2, 2]),
    node("Conv", "p w2", "d"),
    node("Add", "p d", "s"),
    node("GlobalAveragePool", "s", "g"),
    node("Flatten", "g", "f"),
    node("MatMul", "f m", "a"),
    node("Add", "a n", "y"),
]


class Calibration(quantization.CalibrationDataReader):
    def __init__(self) -> None:
        self.left = iter([{"x": random(2, 3, 8, 8, seed=seed)} for _, seed in enumerate(range(10, 14))])

    def get_next(self) -> dict[str, Array] | None:
        return next(self.left, None)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("float") / "float.onnx"
    for index, each in enumerate(NODES):
        each.name = f"{each.op_type}_{index}"
    onnx.save(model(graph(NODES, {"x": ("float32", ["n", 3, 8, 8])}, ["y"], WEIGHTS), opset=17, ir_version=8), path)
    return path


def static(**options: Any) -> Callable[[Path, Path], None]:
    return lambda source, path: quantization.quantize_static(source, path, Calibration(), **options)


def dynamic(source: Path, path: Path) -> None:
    quantization.quantize_dynamic(source, path, op_types_to_quantize=["MatMul"], weight_type=QuantType.QInt8)


FORMS: dict[str, Callable[[Path, Path], None]] = {
    "pairs": static(quant_format=QuantFormat.QDQ),
    "pairs by channel": static(quant_format=QuantFormat.QDQ, per_channel=True, weight_type=QuantType.QInt8),
    "unsigned pairs": static(quant_format=QuantFormat.QDQ, activation_type=QuantType.QUInt8),
    "operators": static(quant_format=QuantFormat.QOperator, activation_type=QuantType.QUInt8),
    "at run time": dynamic,
}


@pytest.fixture(params=few(["pairs by channel", "unsigned pairs", "operators", "at run time"], 2))
def quantised(request: pytest.FixtureRequest, network: Path, tmp_path: Path) -> Path:
    logging.getLogger().setLevel(logging.ERROR)
    FORMS[request.param](network, tmp_path / "quantised.onnx")
    return tmp_path / "quantised.onnx"


def test_the_rounding_error_is_a_term_of_its_own(quantised: Path, tmp_path: Path) -> None:
    artifact = fgcompile.compile(quantised, outputs=("logits", "saliency", "contributions", "residual"))
    kinds = {term["kind"] for site in artifact.metadata["sites"] for term in site["terms"]}
    assert "quantization" in kinds
    assert artifact.metadata["completeness"] < 1e-9
    artifact.save(tmp_path / "artifact.onnx")
    session = fgcompile.load(tmp_path / "artifact.onnx")
    runtime = onnx_runtime(quantised)
    x = random(4, 3, 8, 8, seed=20)
    explanation = session.explain(x)
    # One sample at a time: where ranges are found at run time, ONNX Runtime takes one for the whole batch.
    expected = np.concatenate([runtime.run(None, {"x": one[None]})[0] for one in x])
    np.testing.assert_allclose(explanation.logits, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose([session.explain(one[None]).logits[0] for one in x], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("form", quick(["pairs by channel", "unsigned pairs", "operators"], "operators"))
def test_on_demand_a_quantised_file_predicts_by_its_own_nodes(form: str, network: Path, tmp_path: Path) -> None:
    logging.getLogger().setLevel(logging.ERROR)
    FORMS[form](network, tmp_path / "quantised.onnx")
    fgcompile.compile(tmp_path / "quantised.onnx", on_demand=True).save(tmp_path / "artifact.onnx")
    graph = onnx.load(tmp_path / "artifact.onnx").graph
    own = [each for each in graph.node if each.op_type != "If"]
    standard = form != "operators"  # that form has operators of ONNX Runtime's alone
    assert (bool(own) and all(each.name.startswith("file.") for each in own)) == standard
    session = fgcompile.load(tmp_path / "artifact.onnx")
    x = random(4, 3, 8, 8, seed=22)
    (expected,) = onnx_runtime(tmp_path / "quantised.onnx").run(None, {"x": x})
    if standard:
        np.testing.assert_array_equal(session.predict(x), expected)
    explanation = session.explain(x)
    np.testing.assert_array_equal(explanation.logits, session.predict(x))
    fgcompile.compile(tmp_path / "quantised.onnx").save(tmp_path / "artifact.onnx")
    always = fgcompile.load(tmp_path / "artifact.onnx").explain(x)
    np.testing.assert_allclose(explanation.saliency, always.saliency, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_photos_other_sizes_and_other_outputs_are_predicted_by_the_file_too(network: Path, tmp_path: Path) -> None:
    logging.getLogger().setLevel(logging.ERROR)
    FORMS["pairs"](network, tmp_path / "quantised.onnx")
    proto = onnx.load(tmp_path / "quantised.onnx")
    inner = next(each.output[0] for each in proto.graph.node if each.op_type == "GlobalAveragePool")
    proto.graph.output.append(onnx.helper.make_tensor_value_info(inner, onnx.TensorProto.FLOAT, ["n", 8, 1, 1]))
    for size, name in zip(proto.graph.input[0].type.tensor_type.shape.dim[2:], "hw", strict=True):
        size.dim_param = name
    onnx.save(proto, tmp_path / "quantised.onnx")
    fgcompile.compile(
        tmp_path / "quantised.onnx",
        {"x": torch.from_numpy(random(2, 3, 8, 8))},
        output="y",
        outputs=("logits", "saliency", "model"),
        preprocess=fgcompile.Preprocess(mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4), order="bgr"),
        dynamic_sizes=True,
        on_demand=True,
    ).save(tmp_path / "artifact.onnx")
    own = [each for each in onnx.load(tmp_path / "artifact.onnx").graph.node if each.op_type != "If"]
    assert all(each.name.startswith("file.") for each in own)
    photos = np.random.default_rng(0).integers(0, 256, (3, 10, 12, 3), dtype=np.uint8)
    channels = photos[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32)
    mean, std = (np.reshape(each, (3, 1, 1)) for each in ((0.5, 0.4, 0.3), (0.2, 0.3, 0.4)))
    x = channels * (1 / (255 * std)).astype(np.float32) + (-mean / std).astype(np.float32)
    expected, features = onnx_runtime(tmp_path / "quantised.onnx").run(["y", inner], {"x": x})
    session = fgcompile.load(tmp_path / "artifact.onnx")
    np.testing.assert_array_equal(session.predict(photos), expected)
    explanation = session.explain(photos)
    np.testing.assert_array_equal(explanation.logits, expected)
    np.testing.assert_array_equal(explanation.outputs[inner], features)


@pytest.mark.parametrize(
    ("form", "options", "reason"),
    few(
        [
            ("operators", {}, "QLinearAdd, QLinearGlobalAveragePool are no operators of ONNX's own"),
            ("at run time", {}, "ONNX Runtime finds one range to quantise to for all samples"),
            ("pairs", {"biases": "inputs"}, 'with biases="inputs"'),
        ],
        2,
    ),
)
def test_what_is_predicted_in_floats_says_why(
    form: str, options: dict[str, Any], reason: str, network: Path, tmp_path: Path
) -> None:
    logging.getLogger().setLevel(logging.ERROR)
    FORMS[form](network, tmp_path / "quantised.onnx")
    with pytest.warns(CaptureWarning, match=f"predictions are computed in floating-point numbers.*: {reason}") as found:
        fgcompile.compile(tmp_path / "quantised.onnx", on_demand=True, **options)
    assert {each.filename for each in found if "predictions" in str(each.message)} == {__file__}


def test_quantisation_keeps_the_gradient_of_the_network(network: Path, tmp_path: Path) -> None:
    logging.getLogger().setLevel(logging.ERROR)
    FORMS["pairs"](network, tmp_path / "quantised.onnx")
    x = random(3, 3, 8, 8, seed=21)
    maps = []
    for source in (network, tmp_path / "quantised.onnx"):
        fgcompile.compile(source, target=1, outputs=("logits", "input_gradient")).save(tmp_path / "artifact.onnx")
        maps.append(fgcompile.load(tmp_path / "artifact.onnx").explain(x).input_gradient)
    own, rounded = (np.asarray(each).ravel() for each in maps)
    assert np.corrcoef(own, rounded)[0, 1] > 0.95


def pair(x: str, y: str, scale: str) -> list[onnx.NodeProto]:
    """Levels and back."""
    return [node("QuantizeLinear", f"{x} {scale} z", f"{y}_q"), node("DequantizeLinear", f"{y}_q {scale} z", y)]


def test_a_logit_beyond_its_levels_has_the_map_of_what_is_in_front_of_them(tmp_path: Path) -> None:
    nodes = [*pair("x", "r", "s"), node("Gemm", "r w b", "l"), *pair("l", "m", "t"), node("Reshape", "m shape", "y")]
    constants = {"s": np.float32(0.05), "t": np.float32(5e-4), "z": np.int8(3), "shape": np.array([-1, 5, 1])}
    constants |= {"w": random(8, 5, seed=1), "b": random(5, seed=2)}
    onnx.save(model(graph(nodes, {"x": ("float32", ["n", 8])}, ["y"], constants), 17, 8), tmp_path / "file.onnx")
    x = random(4, 8, seed=3)
    x[0, 0] = 9.0  # beyond the levels of the input, which are not the last
    terms = fgcompile.full_gradient(tmp_path / "file.onnx", torch.from_numpy(x), target=lambda y: y[:, 1, 0])
    (expected,) = onnx_runtime(tmp_path / "file.onnx").run(None, {"x": x})
    np.testing.assert_allclose(terms.output[:, 1], expected[:, 1], atol=1e-6)
    assert np.abs(expected).max() < 0.07 < np.abs(x @ constants["w"] + constants["b"])[:, 1].min()
    wanted = np.broadcast_to(constants["w"][:, 1], (4, 8)).copy()
    wanted[0, 0] = 0
    np.testing.assert_allclose(terms.input_gradient, wanted, rtol=1e-6)
    assert terms.relative_completeness_error.max() < 1e-5


def test_a_rounding_that_another_path_leaves_is_not_the_last(tmp_path: Path) -> None:
    nodes = [*pair("x", "r", "t"), node("Relu", "r", "p"), node("Add", "r p", "y")]
    constants = {"t": np.float32(0.002), "z": np.int8(3)}
    onnx.save(model(graph(nodes, {"x": ("float32", ["n", 8])}, ["y"], constants), 17, 8), tmp_path / "file.onnx")
    terms = fgcompile.full_gradient(tmp_path / "file.onnx", torch.full((2, 8), 3.0), target=1)
    assert not terms.input_gradient.any()


def test_logits_are_found_behind_the_levels_of_probabilities(tmp_path: Path) -> None:
    nodes = [*pair("x", "r", "s"), node("Gemm", "r w", "l"), node("Softmax", "l", "m"), *pair("m", "y", "t")]
    constants = {"s": np.float32(0.05), "t": np.float32(1 / 255), "z": np.int8(-128), "w": random(8, 5, seed=1)}
    onnx.save(model(graph(nodes, {"x": ("float32", ["n", 8])}, ["y"], constants), 17, 8), tmp_path / "file.onnx")
    found = read_onnx(tmp_path / "file.onnx")
    assert found.explained.describe() == "l, the logits that Softmax makes 'y' of"
    assert found.explained.in_file == ("l",)


def test_levels_are_read_by_what_knows_them(tmp_path: Path) -> None:
    nodes = [node("QuantizeLinear", "x s z", "q"), node("Abs", "q", "a"), node("DequantizeLinear", "a s z", "y")]
    constants = {"s": np.float32(0.1), "z": np.int8(3)}
    onnx.save(model(graph(nodes, {"x": ("float32", ["n", 4])}, ["y"], constants)), tmp_path / "file.onnx")
    with pytest.raises(FgcompileError, match=r"Abs 'Abs_a': it computes with numbers of 8 bits themselves"):
        fgcompile.compile(tmp_path / "file.onnx")


def runs_apart(monkeypatch: pytest.MonkeyPatch, by: float) -> None:
    """Lets ONNX Runtime, its operators fused, return logits that are apart from those of the operators one by one."""

    class Fused(comparison.FileReference):
        def __init__(self, model: Any, names: Any, fused: bool = True) -> None:
            super().__init__(model, names, fused)
            self.by = by if fused else 0.0

        def run(self, feeds: Any, like: Any = None) -> Any:
            own = super().run(feeds, like)
            return {name: value + np.asarray(self.by, value.dtype) for name, value in own.items()}

    monkeypatch.setattr(comparison, "FileReference", Fused)


def test_a_quantised_file_is_compared_node_by_node_where_the_ends_are_apart(
    network: Path, quantised: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs_apart(monkeypatch, 0.01)
    examples = {"x": torch.from_numpy(random(2, 3, 8, 8, seed=30))}
    comparison.compare_with_runtime(read_onnx(quantised), examples)
    with pytest.raises(VerificationError, match="from what ONNX Runtime makes it"):
        comparison.compare_with_runtime(read_onnx(network), examples)


def test_a_node_that_rounds_otherwise_is_named(quantised: Path) -> None:
    module = read_onnx(quantised)
    feeds = {"x": torch.from_numpy(random(1, 3, 8, 8, seed=31))}
    names = [name for name in module.titles() if name in comparison.names_in_file(module)]
    expected = comparison.FileReference(module, names, fused=False).run(feeds)
    assert differing_node(module, feeds, expected) is None
    levels = next(name for name in names if expected[name].dtype in (np.int8, np.uint8))
    one, many = dict(expected), dict(expected)
    one[levels] = expected[levels].copy()
    one[levels].flat[0] ^= 1
    many[levels] = expected[levels] ^ np.asarray(1, expected[levels].dtype)
    title = module.titles()[levels]
    # What follows is computed of the changed number, and so differs from what was computed of the other one.
    one_level, many_levels = (differing_node(module, feeds, changed) for changed in (one, many))
    assert one_level is None or one_level[0] != title
    assert many_levels is not None
    assert many_levels[0] == title


class Exported(torch.nn.Module):
    """A network as PyTorch's quantisation of exported programs (PT2E) leaves it: pairs of ``quantized_decomposed``."""

    def __init__(self) -> None:
        super().__init__()
        importlib.import_module("torch.ao.quantization.fx._decomposed")  # it defines the operators
        self.register_buffer("weight", torch.from_numpy(random(6, 3, 3, 3, seed=40) * 40).to(torch.int8))
        self.register_buffer("scale", torch.from_numpy(np.abs(random(6, seed=41)) / 100 + 0.002))
        self.register_buffer("zero", torch.zeros(6, dtype=torch.int64))
        self.head = torch.nn.Linear(6, 4)

    def rounded(self, x: torch.Tensor, scale: float, zero: int) -> torch.Tensor:
        operators, numbers = torch.ops.quantized_decomposed, (scale, zero, -128, 127, torch.int8)
        real: torch.Tensor = operators.dequantize_per_tensor(operators.quantize_per_tensor(x, *numbers), *numbers)
        return real

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = torch.ops.quantized_decomposed.dequantize_per_channel(
            self.weight, self.scale, self.zero, 0, -127, 127, torch.int8
        )
        hidden = torch.relu(torch.nn.functional.conv2d(self.rounded(x, 0.03, -3), weight, padding=1))
        logits: torch.Tensor = self.head(self.rounded(hidden, 0.05, -128).mean((2, 3)))
        return logits


def test_what_pytorch_quantises_is_read_from_its_file(tmp_path: Path) -> None:
    network, x = Exported().eval(), torch.from_numpy(random(3, 3, 8, 8, seed=42))
    dynamic_shapes = ({0: torch.export.Dim("batch")},)
    torch.onnx.export(network, (x,), tmp_path / "file.onnx", dynamo=True, dynamic_shapes=dynamic_shapes, verbose=False)
    artifact = fgcompile.compile(tmp_path / "file.onnx", outputs=("logits", "saliency", "contributions", "residual"))
    kinds = [term["kind"] for site in artifact.metadata["sites"] for term in site["terms"]]
    assert kinds == ["quantization", "quantization", "linear"]
    assert artifact.metadata["completeness"] < 1e-9
    artifact.save(tmp_path / "artifact.onnx")
    logits = fgcompile.load(tmp_path / "artifact.onnx").explain(x.numpy()).logits
    np.testing.assert_allclose(logits, network(x).detach().numpy(), rtol=1e-5, atol=1e-6)


def test_ranges_of_rows_of_several_samples_are_refused_by_name(tmp_path: Path) -> None:
    """As networks that read lines of text end: (steps, samples, features) with steps and samples as one axis."""
    nodes = [
        *[node("Tanh", "x", "h"), node("Transpose", "h", "t", perm=[1, 0, 2]), node("Reshape", "t rows", "r")],
        *[node("DynamicQuantizeLinear", "r", "q s z"), node("MatMulInteger", "q w z", "m")],
        *[node("Cast", "m", "f", to=1), node("Mul", "f s", "g"), node("Reshape", "g steps", "y")],
    ]
    constants = {"rows": np.array([-1, 4]), "steps": np.array([3, -1, 5]), "w": random(4, 5).round().astype(np.int8)}
    path = tmp_path / "lines.onnx"
    onnx.save(model(graph(nodes, {"x": ("float32", ["n", 3, 4])}, ["y"], constants)), path)
    message = "DynamicQuantizeLinear .* finds its range at run time among values whose first axis is not the samples'"
    with pytest.raises(UnsupportedOpError, match=message):
        fgcompile.compile(path, target=lambda y: y[0, :, 0], layouts={"x": "n l c"})
