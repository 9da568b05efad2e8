"""Artifacts that explain on demand: the logits alone at a forward's price, or all that the plain artifact returns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.compiler.backends.divide import divide
from fgcompile.compiler.backends.onnx import emit
from fgcompile.compiler.pipeline import fuse
from fgcompile.errors import InputError
from tests.support.sweeps import quick

FORMATS = {"onnx": ".onnx", "torchscript": ".pt", "pt2": ".pt2"}
OUTPUTS = ("logits", "saliency", "contributions", "residual", "input_gradient", "bias_gradients")


class Classifier(nn.Module):
    """Convolution, BatchNorm, pooling with ties, and a linear layer whose weight forward and backward share."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 12, 3, stride=2)
        )
        self.head = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.features(x).relu().mean((2, 3)))


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(0)
    return Classifier().eval()


@pytest.fixture(scope="module", params=quick(["onnx", "torchscript", "pt2"], "onnx"))
def pair(
    request: pytest.FixtureRequest, model: nn.Module, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path]:
    """The artifact on demand and the plain one, with every output."""
    folder = tmp_path_factory.mktemp("on_demand")
    paths = []
    for on_demand in (True, False):
        path = folder / f"{on_demand}{FORMATS[request.param]}"
        fgcompile.compile(
            model, torch.randn(2, 3, 16, 16), format=request.param, outputs=OUTPUTS, on_demand=on_demand
        ).save(path)
        paths.append(path)
    return paths[0], paths[1]


def images(count: int) -> np.ndarray:
    return np.random.default_rng(count).standard_normal((count, 3, 16, 16), dtype=np.float32)


@pytest.mark.parametrize("count", [1, 3])
def test_explains_as_the_plain_artifact_does(pair: tuple[Path, Path], count: int) -> None:
    feeds = {"x": images(count), "target": np.full(count, -1)}
    on_demand, plain = (fgcompile.load(path, threads=1) for path in pair)
    explained = on_demand.run({**feeds, "explain": np.array(True)})
    expected = plain.run(feeds)
    assert list(explained) == list(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(explained[name], value, atol=1e-6 * np.abs(value).max(), err_msg=name)


def test_predicts_the_logits_and_nothing_else(pair: tuple[Path, Path], model: nn.Module) -> None:
    session = fgcompile.load(pair[0], threads=1)
    x = images(3)
    outputs = session.run({"x": x, "target": np.full(3, -1), "explain": np.array(False)})
    with torch.no_grad():
        expected = model(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(outputs.pop("logits"), expected, rtol=1e-5, atol=1e-6)
    shapes = {spec["name"]: spec["shape"] for spec in session.metadata["outputs"]}
    for name, value in outputs.items():
        assert value.shape == tuple(size if isinstance(size, int) else 0 for size in shapes[name]), name
        assert value.dtype == np.float32
    np.testing.assert_array_equal(session.predict(x), session.explain(x).logits)


def test_predict_needs_no_artifact_on_demand(pair: tuple[Path, Path]) -> None:
    x = images(2)
    on_demand, plain = (fgcompile.load(path, threads=1) for path in pair)
    np.testing.assert_allclose(plain.predict(x), on_demand.predict(x), rtol=1e-5, atol=1e-6)


def test_stores_each_weight_once(pair: tuple[Path, Path]) -> None:
    on_demand, plain = (path.stat().st_size for path in pair)
    # Names and the structure of a second graph, or the code of a second library; of features that are larger than the
    # weights, these in ONNX twice, which are 7 KB here.
    assert on_demand < plain + (500_000 if pair[0].suffix == ".pt2" else 40_000)
    assert on_demand > 0.9 * plain


@pytest.mark.slow
def test_a_package_stores_each_weight_once() -> None:
    model = nn.Sequential(nn.Conv2d(3, 512, 3), nn.ReLU(), nn.Conv2d(512, 512, 3), nn.ReLU(), nn.Flatten()).eval()
    on_demand, plain = (
        len(fgcompile.compile(model, torch.randn(2, 3, 5, 5), format="pt2", on_demand=on_demand).content)
        for on_demand in (True, False)
    )
    assert on_demand < plain + 500_000  # each convolution holds 9.4 MB, as does its flipped copy


def branches(model: nn.Module, size: int) -> tuple[onnx.GraphProto, onnx.GraphProto, onnx.GraphProto]:
    """The graph of an artifact on demand of pictures of some size, its explanation, and what it returns without."""
    artifact = fgcompile.compile(model, torch.randn(1, 3, size, size), on_demand=True)
    graph = onnx.load_from_string(artifact.content).graph
    (choice,) = (node for node in graph.node if node.op_type == "If")
    found = {value.name: value.g for value in choice.attribute}
    return graph, found["then_branch"], found["else_branch"]


def layers(graph: onnx.GraphProto) -> list[str]:
    return [node.op_type for node in graph.node if node.op_type in ("Conv", "Gemm")]


def weights(graph: onnx.GraphProto) -> int:
    return sum(np.prod(tensor.dims, dtype=int) for tensor in graph.initializer)


def test_the_prediction_has_no_node_of_the_explanation(model: nn.Module) -> None:
    graph, explanation, _ = branches(model, 7)
    assert layers(graph) == ["Conv", "Conv", "Gemm"]
    assert "Conv" in layers(explanation)
    constants = {tensor.name for tensor in explanation.initializer}
    assert constants
    assert not constants & {tensor.name for tensor in graph.initializer}


def test_of_features_larger_than_the_weights_none_leaves_the_prediction(model: nn.Module) -> None:
    graph, explanation, prediction = branches(model, 16)
    assert [node.op_type for node in graph.node] == ["If"]
    assert layers(prediction) == ["Conv", "Conv", "Gemm"]
    assert len(layers(explanation)) > 3
    assert weights(graph) == 0
    assert weights(explanation) >= weights(prediction) > 1000


def test_both_forms_compute_the_same(model: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    feeds, answers = {"x": images(3), "target": np.full(3, 2), "explain": np.array(True)}, []
    for elements in (emit._elements, lambda graph: {}):
        monkeypatch.setattr(emit, "_elements", elements)
        fgcompile.compile(model, torch.randn(2, 3, 16, 16), outputs=OUTPUTS, on_demand=True).save(tmp_path / "a.onnx")
        answers.append(fgcompile.load(tmp_path / "a.onnx", threads=1).run(feeds))
    assert set(answers[0]) >= set(OUTPUTS[:5])
    for name, value in answers[1].items():
        np.testing.assert_allclose(answers[0][name], value, atol=1e-6 * np.abs(value).max(), err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("format", quick(["onnx", "torchscript", "pt2"], "onnx"))
def test_takes_biases_and_dynamic_sizes_too(model: nn.Module, tmp_path: Path, format: str) -> None:
    path = tmp_path / f"both{FORMATS[format]}"
    fgcompile.compile(
        model, torch.randn(2, 3, 16, 16), format=format, biases="inputs", dynamic_sizes=True, on_demand=True
    ).save(path)
    session = fgcompile.load(path, threads=1)
    names = [spec["name"] for spec in session.metadata["inputs"]]
    assert names[:3] == ["x", "target", "explain"]
    x = np.random.default_rng(0).standard_normal((2, 3, 20, 18), dtype=np.float32)
    zero = {name: np.zeros(5, np.float32) for name in names[3:] if "head" in name}
    assert zero
    changed, trained = session.explain(x, biases=zero), session.explain(x)
    bias = model.head.bias.detach().numpy()
    np.testing.assert_allclose(changed.logits + bias, trained.logits, rtol=1e-5, atol=1e-6)
    assert trained.saliency.shape == (2, 1, 20, 18)


def test_an_artifact_on_demand_can_be_verified(pair: tuple[Path, Path], model: nn.Module) -> None:
    assert fgcompile.verify(pair[0], model, images(3)).passed


@pytest.mark.parametrize("outputs", [("saliency",), ("logits",)])
def test_refuses_outputs_that_leave_nothing_to_choose(model: nn.Module, outputs: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="on_demand"):
        fgcompile.compile(model, torch.randn(1, 3, 16, 16), outputs=outputs, on_demand=True)


def test_refuses_a_model_with_an_input_of_that_name() -> None:
    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 2)

        def forward(self, x: Tensor, explain: Tensor) -> Tensor:
            return self.linear(x * explain)

    with pytest.raises(InputError, match="'explain'"):
        fgcompile.compile(Gated().eval(), (torch.randn(2, 4), torch.randn(2, 4)), on_demand=True)


class ChannelsLast(nn.Module):
    """What a prediction hands over is features with their axes in another order, as a permutation leaves them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.layer, self.head = nn.Conv2d(3, 6, 2, 2), nn.Linear(6, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        rows = self.conv(x).permute(0, 2, 3, 1)
        return self.head((rows * torch.sigmoid(self.layer(rows))).mean((1, 2)))


def test_what_is_handed_over_lies_in_order() -> None:
    torch.manual_seed(0)
    model, x = ChannelsLast().eval(), torch.randn(2, 3, 8, 12)
    halves = divide(fuse(model, x, format="pt2", rules="taylor", on_demand=True))
    taken = halves.explain.graph.find_nodes(op="placeholder")[: halves.carried]
    assert any(node.meta["val"].ndim == 4 for node in taken)
    assert all(node.meta["val"].is_contiguous() for node in taken)


@pytest.mark.slow
def test_a_package_on_demand_of_features_whose_channels_lie_last() -> None:
    torch.manual_seed(0)
    model, x = ChannelsLast().eval(), torch.randn(2, 3, 8, 12)
    sessions = [
        fgcompile.load(fgcompile.compile(model, x, format=format, on_demand=True, rules="taylor"), threads=1)
        for format in ("pt2", "onnx")
    ]
    feeds = {"x": torch.randn(3, 3, 8, 12).numpy(), "target": np.full(3, -1), "explain": np.array(True)}
    found, expected = (session.run(feeds) for session in sessions)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, atol=1e-5 * np.abs(value).max(), err_msg=name)
