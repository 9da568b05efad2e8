"""A session explains in every runtime alike, and refuses in one line what its artifact does not take."""

import pkgutil

import numpy as np
import pytest

from fgcompile.artifact.names import SUFFIXES
from fgcompile.errors import ArtifactError, InputError
from fgcompile.runtime import Session, load, runtimes, session
from tests.support.tiny_artifacts import onnx_artifact, tiny_metadata, tiny_reference, torchscript_artifact

X = np.random.default_rng(2).normal(size=(3, 3, 4, 4)).astype(np.float32)


@pytest.fixture(scope="module", params=["onnx", "torchscript"])
def tiny(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("artifacts") / f"tiny.{request.param}"
    path = path.with_suffix(SUFFIXES[request.param])
    path.write_bytes(onnx_artifact() if request.param == "onnx" else torchscript_artifact())
    return load(path)


class Recorder:
    """A backend that keeps its feeds and returns what it was given."""

    def __init__(self, **outputs):
        self.outputs = outputs

    def run(self, feeds):
        self.feeds = dict(feeds)
        return self.outputs


def spec(name, *shape, dtype="float32"):
    return {"name": name, "dtype": dtype, "shape": list(shape)}


# Explanations


@pytest.mark.parametrize(
    ("target", "classes"),
    [
        (None, [-1, -1, -1]),
        (-1, [-1, -1, -1]),
        (4, [4, 4, 4]),
        (np.int32(2), [2, 2, 2]),
        (np.array([0, -1, 4]), [0, -1, 4]),
        (np.array([0, 1, 4], dtype=np.uint8), [0, 1, 4]),
    ],
)
def test_explain_matches_the_reference(tiny, target, classes):
    explanation = tiny.explain(X, target)
    logits, saliency = tiny_reference(X, np.array(classes))
    np.testing.assert_allclose(explanation.logits, logits, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(explanation.saliency, saliency, rtol=1e-5, atol=1e-6)
    assert explanation.target.dtype == np.int64
    assert explanation.target.tolist() == [c if c >= 0 else k for c, k in zip(classes, logits.argmax(1), strict=True)]
    absent = ("contributions", "residual", "input_gradient")
    assert [getattr(explanation, name) for name in absent] == [None, None, None]
    assert explanation.bias_gradients == {}


@pytest.mark.parametrize("batch", [1, 5])
def test_the_batch_is_dynamic(tiny, batch):
    x = np.ones((batch, 3, 4, 4), dtype=np.float32)
    assert tiny.explain(x).saliency.shape == (batch, 1, 4, 4)


def test_a_tuple_and_a_mapping_equal_an_array(tiny):
    expected = tiny.explain(X).saliency
    np.testing.assert_array_equal(tiny.explain((X,)).saliency, expected)
    np.testing.assert_array_equal(tiny.explain({"x": X}).saliency, expected)


def test_strided_and_read_only_arrays_are_taken(tiny):
    mirrored = X[:, :, ::-1]
    frozen = mirrored.copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(tiny.explain(mirrored).logits, tiny.explain(frozen).logits)


def test_run_is_raw(tiny):
    outputs = tiny.run({"target": np.array([-1, 0, 1]), "x": X})
    assert list(outputs) == ["logits", "saliency"]
    assert np.isnan(tiny.run({"x": X * np.float32(np.nan), "target": np.array([0, 0, 0])})["logits"]).all()
    with pytest.raises(InputError, match=r"^missing input x: the artifact takes x, target$"):
        tiny.run({"target": np.array([0])})


def test_run_without_a_target_is_of_the_predicted(tiny):
    expected = tiny.run({"target": np.array([-1, -1, -1]), "x": X})
    for name, value in tiny.run({"x": X}).items():
        np.testing.assert_array_equal(value, expected[name])


class Several:
    """A backend of three targets, which keeps what it was fed."""

    logits = np.array([[0, 2, 1, 2, 3]], np.float32)

    def __init__(self):
        self.feeds = []

    def run(self, feeds):
        self.feeds.append({name: value.tolist() for name, value in feeds.items() if name != "x"})
        return {"logits": self.logits}


def test_without_a_target_the_largest_are_asked_for_and_of_equals_the_first():
    inputs = [spec("x", "batch", 2), spec("target", "batch", 3, dtype="int64"), spec("explain", dtype="bool")]
    metadata = tiny_metadata(targets=3, inputs=inputs, on_demand=True)
    x, backend = np.zeros((1, 2), np.float32), Several()
    session = Session(backend, metadata)
    assert session.explain(x).target.tolist() == [[4, 1, 3]]
    assert session.run({"x": x, "explain": np.array(True)})
    predicted = [{"target": [[-1, -1, -1]], "explain": False}, {"target": [[4, 1, 3]], "explain": True}]
    assert backend.feeds == [*predicted, *predicted]
    session.run({"x": x, "explain": np.array(False)})
    assert backend.feeds[4:] == predicted[:1]
    silent = Session(backend, {**metadata, "outputs": [spec("saliency", "batch", 3, 1, 4, 4)]})
    with pytest.raises(InputError, match="does not return the logits, which say what the 3 largest are: give target"):
        silent.explain(x)


def test_every_output_finds_its_place():
    outputs = {
        name: np.full((3, 2), value)
        for value, name in enumerate(
            ["logits", "saliency", "contributions", "residual", "input_gradient", "bias_gradients.layer1.0.conv1"]
        )
    }
    explanation = Session(Recorder(**outputs), tiny_metadata()).explain(X, 0)
    for name in ("logits", "saliency", "contributions", "residual", "input_gradient"):
        assert getattr(explanation, name) is outputs[name]
    assert explanation.bias_gradients == {"layer1.0.conv1": outputs["bias_gradients.layer1.0.conv1"]}


def test_several_inputs_have_a_tuple_of_gradients():
    metadata = tiny_metadata(target="score", inputs=[spec("image", "batch", 2), spec("mask", "batch", 3)])
    gradients = {"input_gradient.image": np.ones((4, 2)), "input_gradient.mask": np.ones((4, 3))}
    image, mask = np.ones((4, 2), np.float32), np.ones((4, 3), np.float32)
    backend = Recorder(**gradients)
    for x in ((image, mask), {"mask": mask, "image": image}):
        explanation = Session(backend, metadata).explain(x)
        assert list(backend.feeds) == ["image", "mask"]
        assert explanation.input_gradient == tuple(gradients.values())
        assert explanation.logits is None
        assert explanation.target is None


@pytest.mark.parametrize(("compiled", "expected"), [("predicted", [1, 0, 1]), (3, [3, 3, 3])])
def test_a_target_fixed_when_compiling_is_reported(compiled, expected):
    backend = Recorder(logits=np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]))
    metadata = tiny_metadata(target=compiled, inputs=[spec("x", "batch", 3, 4, 4)])
    assert Session(backend, metadata).explain(X).target.tolist() == expected
    assert list(backend.feeds) == ["x"]


def test_without_logits_the_predicted_class_is_unknown():
    explained = Session(Recorder(), tiny_metadata()).explain
    assert explained(X).target is None
    assert explained(X, 2).target.tolist() == [2, 2, 2]


def test_a_model_s_own_input_may_be_called_target_where_the_artifact_takes_none():
    backend = Recorder()
    metadata = tiny_metadata(target="score", inputs=[spec("target", "batch", 2)])
    Session(backend, metadata).explain(np.ones((1, 2), np.float32))
    assert list(backend.feeds) == ["target"]


# Refused by a loaded session (each check by itself: tests/artifact/test_validation.py)


@pytest.mark.parametrize("arguments", [(X[0],), (X.astype(np.float64),), (X, 5), (X * np.float32(np.inf),)])
def test_explain_refuses_what_the_artifact_does_not_take(tiny, arguments):
    with pytest.raises(InputError):
        tiny.explain(*arguments)


# Loading


@pytest.mark.parametrize("content", [onnx_artifact(), torchscript_artifact()], ids=["onnx", "torchscript"])
def test_a_damaged_artifact_never_reaches_a_runtime(content, tmp_path, monkeypatch):
    monkeypatch.setattr(runtimes, "RUNTIMES", {})
    path = tmp_path / "artifact"
    for changed in (content[:-1], content[:200] + b"?" + content[201:], b""):
        path.write_bytes(changed)
        with pytest.raises(ArtifactError, match=r"is damaged|is truncated|is empty"):
            load(path)


def test_a_format_without_a_runtime_is_refused():
    with pytest.raises(ArtifactError, match="no runtime here for format 'coreml': compile to one of onnx, torchscript"):
        session.open_session(onnx_artifact(), tiny_metadata("coreml"), "artifact")


@pytest.mark.parametrize("threads", [0, -1])
def test_threads_below_one_are_refused(threads, tmp_path):
    path = tmp_path / "artifact"
    path.write_bytes(onnx_artifact())
    with pytest.raises(InputError, match=f"threads is {threads}: give 1 or more"):
        load(path, threads=threads)


def test_a_provider_that_is_in_no_list_is_refused_as_a_whole(tmp_path):
    path = tmp_path / "artifact"
    path.write_bytes(onnx_artifact())
    with pytest.raises(InputError, match=r"pass a list of them, \['CPUExecutionProvider'\]"):
        load(path, providers="CPUExecutionProvider")


def test_every_row_names_a_backend():
    for format in runtimes.RUNTIMES:
        assert callable(pkgutil.resolve_name(runtimes.RUNTIMES[format])), format
