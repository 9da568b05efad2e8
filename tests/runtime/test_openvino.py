"""ONNX artifacts compute in OpenVINO what they compute in ONNX Runtime, to the last few bits of float32."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import fgcompile
from benchmarks.networks.samples import load_digit_network, load_photo_network
from fgcompile.demo.networks import Network
from fgcompile.errors import ArtifactError, InputError
from fgcompile.pictures.images import read_photo
from fgcompile.runtime import load
from fgcompile.runtime.openvino.agreement import Agreement, make_example
from tests.support.networks import randomised
from tests.support.tiny_artifacts import onnx_artifact, tiny_metadata, tiny_reference

openvino = pytest.importorskip("openvino", reason="needs OpenVINO: pip install 'fgcompile[openvino]'")
OpenVinoBackend = pytest.importorskip("fgcompile.runtime.openvino.backend").OpenVinoBackend

X = np.random.default_rng(2).normal(size=(3, 3, 4, 4)).astype(np.float32)
PROVIDERS = ["OpenVINO"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(onnx_artifact())
    return path


def run_without(blocked: tuple[str, ...], path: Path) -> str:
    """Standard output of a process that explains one input in OpenVINO with these packages out of reach."""
    script = (
        "import sys\n"
        f"for name in {blocked!r}: sys.modules[name] = None\n"
        "import numpy as np\n"
        "from fgcompile.errors import FgcompileError\n"
        "from fgcompile.runtime import load\n"
        "try:\n"
        "    session = load(sys.argv[1], providers=['OpenVINO'])\n"
        "    explanation = session.explain(np.ones((2, 3, 4, 4), np.float32), target=1)\n"
        "    print(explanation.saliency.shape, explanation.target)\n"
        "except FgcompileError as error: print(error)\n"
    )
    result = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=False)
    assert result.stderr == ""
    return result.stdout


def test_it_is_served_without_torch_onnx_and_onnxruntime(path: Path) -> None:
    assert run_without(("torch", "onnx", "onnxscript", "onnxruntime"), path) == "(2, 1, 4, 4) [1 1]\n"


def test_a_missing_runtime_is_named(path: Path) -> None:
    assert (
        run_without(("openvino",), path) == "provider OpenVINO needs its runtime: pip install 'fgcompile[openvino]'\n"
    )


@pytest.mark.parametrize(
    "provider",
    ["OpenVINO", "openvino", ("OpenVINO", {}), ("OpenVINO", {"device": "CPU", "PERFORMANCE_HINT": "THROUGHPUT"})],
    ids=["name", "lower case", "no options", "options"],
)
@pytest.mark.parametrize("batch", [1, 3])
def test_explain_matches_the_reference(path: Path, provider: Any, batch: int) -> None:
    target = np.array([-1, 0, 4])[:batch]
    explanation = load(path, providers=[provider], threads=1).explain(X[:batch], target)
    logits, saliency = tiny_reference(X[:batch], target)
    np.testing.assert_allclose(explanation.logits, logits, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(explanation.saliency, saliency, rtol=1e-5, atol=1e-6)
    assert explanation.target.tolist() == [int(logits[0].argmax()), 0, 4][:batch]


def test_outputs_outlive_the_next_call_and_inputs_may_be_read_only(path: Path) -> None:
    session = load(path, providers=PROVIDERS)
    frozen = X.copy()
    frozen.flags.writeable = False
    first = session.explain(frozen, 0)
    kept = first.logits.copy()
    session.explain(-X, 1)
    np.testing.assert_array_equal(first.logits, kept)


def test_threads_call_one_session(path: Path) -> None:
    session = load(path, providers=PROVIDERS, threads=1)
    batches = [np.float32(scale) * X for scale in range(1, 65)]
    with ThreadPoolExecutor(4) as pool:
        logits = list(pool.map(lambda x: session.explain(x).logits, batches))
    for x, found in zip(batches, logits, strict=True):
        np.testing.assert_allclose(found, tiny_reference(x, np.full(3, -1))[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("hint", ["LATENCY", "THROUGHPUT"])
def test_it_computes_in_float32_and_for_latency_unless_told_otherwise(hint: str) -> None:
    options = {} if hint == "LATENCY" else {"PERFORMANCE_HINT": hint}
    backend = OpenVinoBackend(onnx_artifact(), tiny_metadata(), [("OpenVINO", options)], 2)
    assert backend._graphs.general.compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name() == "f32"
    assert backend._graphs.general.compiled.get_property("INFERENCE_NUM_THREADS") == 2
    assert hint in str(backend._graphs.general.compiled.get_property("PERFORMANCE_HINT"))


@pytest.mark.parametrize("providers", [["OpenVINO", "CPUExecutionProvider"], ["CPUExecutionProvider", "OpenVINO"]])
def test_it_is_given_alone(path: Path, providers: list[str]) -> None:
    with pytest.raises(InputError, match=r"^OpenVINO is a runtime of its own"):
        load(path, providers=providers)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "ABACUS"}, r"cannot load the artifact on ABACUS \(.*ABACUS.*\)"),
        ({"BEADS": "10"}, r"on CPU \(.*BEADS.*\)"),
        ({"NUM_STREAMS": "many"}, r"on CPU \(.+\)"),
    ],
)
def test_wrong_options_are_one_line(path: Path, options: dict[str, str], message: str) -> None:
    with pytest.raises(ArtifactError, match=message) as caught:
        load(path, providers=[("OpenVINO", options)])
    assert "\n" not in str(caught.value)


def test_a_model_that_it_cannot_load_is_one_line() -> None:
    with pytest.raises(ArtifactError) as caught:
        OpenVinoBackend(b"\x08\x63", tiny_metadata(), PROVIDERS, None)
    assert str(caught.value).startswith(f"OpenVINO {openvino.__version__} cannot load the artifact on CPU (")
    assert "\n" not in str(caught.value)


class Pooled(nn.Module):
    """Convolutions with a bias, a BatchNorm, ReLU6 and max pooling over zeros, which tie."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.second = nn.Conv2d(4, 6, 3, stride=2, padding=1)
        self.head = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = nn.functional.max_pool2d(torch.relu(self.norm(self.conv(x))), 2)
        return self.head(nn.functional.relu6(self.second(x)).mean((2, 3)))


OUTPUTS = ("logits", "saliency", "contributions", "residual", "input_gradient", "bias_gradients")


def sessions(path: Path, **options: Any) -> tuple[fgcompile.Session, fgcompile.Session]:
    """One artifact of the network, in OpenVINO and in ONNX Runtime."""
    fgcompile.compile(randomised(Pooled()), torch.randn(2, 3, 16, 16), outputs=OUTPUTS, **options).save(path)
    return load(path, providers=PROVIDERS), load(path, providers=["CPUExecutionProvider"])


def assert_equal_outputs(found: fgcompile.Explanation, expected: fgcompile.Explanation) -> None:
    for name in ("logits", "saliency", "contributions", "input_gradient"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-4, atol=1e-5, err_msg=name)
    assert list(found.bias_gradients) == list(expected.bias_gradients)
    for name, gradient in found.bias_gradients.items():
        np.testing.assert_allclose(gradient, expected.bias_gradients[name], rtol=1e-4, atol=1e-5, err_msg=name)
    assert np.abs(found.residual).max() < 1e-5
    np.testing.assert_array_equal(found.target, expected.target)


@pytest.fixture(scope="module")
def with_biases(tmp_path_factory: pytest.TempPathFactory) -> tuple[fgcompile.Session, fgcompile.Session]:
    """Where none of the biases is given, the artifact is a plain one."""
    torch.manual_seed(0)
    return sessions(tmp_path_factory.mktemp("biases") / "model.onnx", biases="inputs")


def test_ties_of_max_pooling_are_broken_alike(with_biases: tuple[fgcompile.Session, fgcompile.Session]) -> None:
    ours, reference = with_biases
    quantised = np.round(np.random.default_rng(0).normal(size=(4, 3, 16, 16))).astype(np.float32)
    for x in (quantised, np.zeros_like(quantised), np.ones_like(quantised)):
        assert_equal_outputs(ours.explain(x, np.array([-1, 0, 1, 4])), reference.explain(x, np.array([-1, 0, 1, 4])))


def test_bias_parameters_are_inputs_with_defaults(with_biases: tuple[fgcompile.Session, fgcompile.Session]) -> None:
    ours, reference = with_biases
    x = np.random.default_rng(0).normal(size=(2, 3, 16, 16)).astype(np.float32)
    assert_equal_outputs(ours.explain(x), reference.explain(x))
    names = [spec["name"] for spec in ours.metadata["inputs"] if spec.get("optional")]
    assert len(names) == 4
    for spec in ours.metadata["inputs"]:
        if spec.get("optional"):
            changed = {spec["name"]: np.linspace(-1, 1, spec["shape"][0], dtype=np.float32)}
            found, expected = ours.explain(x, biases=changed), reference.explain(x, biases=changed)
            assert_equal_outputs(found, expected)
            assert np.abs(found.logits - ours.explain(x).logits).max() > 1e-3, spec["name"]


@pytest.mark.slow
def test_sizes_are_dynamic(tmp_path: Path) -> None:
    ours, reference = sessions(tmp_path / "model.onnx", dynamic_sizes=True)
    for shape in ((1, 3, 16, 16), (3, 3, 24, 18), (1, 3, 17, 31)):
        x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        assert_equal_outputs(ours.explain(x), reference.explain(x))


@pytest.mark.slow
def test_photos_are_normalised_inside(tmp_path: Path) -> None:
    preprocess = fgcompile.Preprocess(mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.2))
    ours, reference = sessions(tmp_path / "model.onnx", preprocess=preprocess)
    photos = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3), dtype=np.uint8)
    assert_equal_outputs(ours.explain(photos), reference.explain(photos))


@pytest.mark.parametrize("load_network", [load_digit_network, pytest.param(load_photo_network, marks=pytest.mark.slow)])
def test_trained_networks_explain_real_photos_alike(load_network: Callable[[], Network], tmp_path: Path) -> None:
    """A map may differ by more than rounding where rounding flips a ReLU6 or a choice of pooling; few do."""
    network = load_network()
    preprocess = fgcompile.Preprocess(mean=network.mean, std=network.std)
    example = torch.randn(2, *network.input_shape)
    fgcompile.compile(network.model, example, preprocess=preprocess).save(tmp_path / "trained.onnx")
    ours, reference = (load(tmp_path / "trained.onnx", providers=p) for p in (PROVIDERS, ["CPUExecutionProvider"]))
    channels, height, width = network.input_shape
    differences = []
    for picture in network.pictures:
        photo = read_photo(picture.path, (height, width, channels))[None]
        found, expected = ours.explain(photo), reference.explain(photo)
        np.testing.assert_array_equal(found.target, expected.target)
        pairs = ((found.logits, expected.logits), (found.saliency, expected.saliency))
        differences.append([np.abs(a - b).max() / np.abs(b).max() for a, b in pairs])
    logits, maps = np.array(differences).T
    print(f"relative to the maximum: logits {logits.max():.1e}, maps {maps.max():.1e}, median {np.median(maps):.1e}")
    assert len(differences) == 20
    assert logits.max() <= 1e-5
    assert np.median(maps) <= 1e-5
    assert maps.max() <= 1e-2


class Text(nn.Module):
    """Embedded token ids, mixed and averaged."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.head = nn.Embedding(11, 8), nn.Linear(8, 3)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(torch.tanh(self.tokens(ids)).mean(1))


def test_token_ids_are_taken(tmp_path: Path) -> None:
    fgcompile.compile(Text().eval(), torch.ones(2, 6, dtype=torch.int64)).save(tmp_path / "text.onnx")
    ids = np.random.default_rng(0).integers(0, 11, (3, 6))
    found, expected = (load(tmp_path / "text.onnx", providers=p).explain(ids) for p in (PROVIDERS, None))
    np.testing.assert_allclose(found.logits, expected.logits, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.saliency, expected.saliency, rtol=1e-4, atol=1e-5)


class Square(nn.Module):
    """Layers whose weights are square, which the forward multiplies by, and turned the backward."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.head = nn.Embedding(20, 128), nn.Linear(128, 5)
        self.first, self.second = nn.Linear(128, 128), nn.Linear(128, 128, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.words(ids)
        return self.head((x + self.second(nn.functional.gelu(self.first(x)))).mean(1))


@pytest.fixture(scope="module")
def square() -> Any:
    torch.manual_seed(0)
    outputs = ("logits", "saliency", "contributions", "residual")
    return fgcompile.compile(Square().eval(), torch.randint(0, 20, (2, 12)), outputs=outputs)


def test_square_weights_are_not_taken_for_their_turned_selves(square: Any) -> None:
    ids = np.random.default_rng(0).integers(0, 20, (3, 12))
    found, expected = (session.explain(ids) for session in (square.session(["OpenVINO"]), square.session()))
    np.testing.assert_allclose(found.saliency, expected.saliency, rtol=1e-4, atol=1e-6)
    assert np.abs(found.residual).max() < 1e-5


def test_what_it_computes_otherwise_is_refused(square: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fgcompile.runtime.openvino.backend.turn_square_weights", lambda model: None)
    try:
        square.session(["OpenVINO"])
    except ArtifactError as error:
        assert "computes another saliency of this artifact than ONNX Runtime" in str(error)  # noqa: PT017 - or none
    else:
        pytest.skip("this version of OpenVINO tells them apart")


def test_the_comparison_is_of_what_is_returned() -> None:
    metadata = tiny_metadata()
    expected = OpenVinoBackend(onnx_artifact(), metadata, ["OpenVINO"], 1)

    def wrong(feeds: Any) -> Any:
        return {name: value * 1.2 for name, value in expected.run(feeds).items()}

    agreement, feeds = Agreement(onnx_artifact(), metadata, None), make_example(metadata)
    agreement.require(expected.run, feeds)
    with pytest.raises(ArtifactError, match=r"OpenVINO computes another \w+ of this artifact than ONNX Runtime"):
        agreement.require(wrong, feeds)
