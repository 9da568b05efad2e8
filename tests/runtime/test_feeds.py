"""Every run checks what it is fed, before native code reads an array: it would read what lies behind a short one."""

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided

from fgcompile.artifact.names import SUFFIXES
from fgcompile.errors import InputError
from fgcompile.runtime import Session, load
from tests.support.tiny_artifacts import onnx_artifact, tiny_metadata, torchscript_artifact

X = np.random.default_rng(3).normal(size=(2, 3, 4, 4)).astype(np.float32)
CLASSES = np.array([0, -1])


@pytest.fixture(scope="module", params=["onnx", "openvino", "torchscript"])
def tiny(request, tmp_path_factory):
    format = "onnx" if request.param == "openvino" else request.param
    if request.param == "openvino":
        pytest.importorskip("openvino")
    path = (tmp_path_factory.mktemp("artifacts") / "tiny").with_suffix(SUFFIXES[format])
    path.write_bytes(onnx_artifact() if format == "onnx" else torchscript_artifact())
    return load(path, providers=["OpenVINO"] if request.param == "openvino" else None)


class Native:
    """A backend that keeps its feeds."""

    def run(self, feeds):
        self.feeds = dict(feeds)
        return {}


def spec(name, *shape, dtype="float32", **more):
    return {"name": name, "dtype": dtype, "shape": list(shape), **more}


REFUSED = {
    "another rank": ({"x": X[0], "target": CLASSES}, "x has shape (3, 4, 4)"),
    "0-d": ({"x": np.ones((), np.float32), "target": CLASSES}, "x has shape ()"),
    "too few": ({"x": X[:, :, :, :2], "target": CLASSES}, "axis 3 must be 4, not 2"),
    "none": ({"x": X[:0], "target": CLASSES[:0]}, "axis 0 (batch) is empty"),
    "two batches": ({"x": X, "target": CLASSES[:1]}, "target has batch 1, x has 2"),
    "another type": ({"x": X.astype(np.float64), "target": CLASSES}, "x is float64, the artifact takes float32"),
    "foreign bytes": ({"x": X.astype(">f4"), "target": CLASSES}, "x is float32 in foreign byte order"),
    "objects": ({"x": X.astype(object), "target": CLASSES}, "x is object"),
    "structured": ({"x": X.view([("a", "f4")]), "target": CLASSES}, "x is void32"),
    "masked": ({"x": np.ma.masked_less(X, 0), "target": CLASSES}, "x is a masked array"),
    "a list": ({"x": X.tolist(), "target": CLASSES}, "x is a list, not a NumPy array"),
    "a small target": ({"x": X, "target": CLASSES.astype(np.int32)}, "target is int32"),
    "a class too many": ({"x": X, "target": np.array([0, 5])}, "target 5 is out of range"),
    "another name": ({"x": X, "target": CLASSES, "y": X}, "unknown input y"),
    "no mapping": ([X, CLASSES], "feeds is a list"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_artifact_does_not_take_is_refused(tiny, case):
    feeds, reason = REFUSED[case]
    with pytest.raises(InputError) as caught:
        tiny.run(feeds)
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def unaligned(array):
    moved = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    moved[...] = array
    return moved


def frozen(array):
    array = array.copy()
    array.flags.writeable = False
    return array


ODD = {
    "transposed": lambda: np.ascontiguousarray(X.T).T,
    "mirrored": lambda: np.ascontiguousarray(X[..., ::-1])[..., ::-1],
    "read-only": lambda: frozen(X),
    "unaligned": lambda: unaligned(X),
    "far apart": lambda: np.stack([X] * 50, axis=-1)[..., 0],
    "of a subclass": lambda: X.view(np.recarray),
    "in a file": lambda: None,
}


@pytest.mark.parametrize("case", ODD)
def test_however_an_array_lies_it_gives_the_same_bits(tiny, case, tmp_path):
    array = ODD[case]()
    if array is None:
        X.tofile(tmp_path / "x")
        array = np.memmap(tmp_path / "x", np.float32, "r", shape=X.shape)
    for name, expected in tiny.run({"x": X, "target": CLASSES}).items():
        np.testing.assert_array_equal(tiny.run({"x": array, "target": CLASSES})[name], expected)


def test_one_element_for_many_is_written_out():
    backend = Native()
    Session(backend, tiny_metadata()).run({"x": as_strided(X, X.shape, (0, 0, 0, 0)), "target": CLASSES})
    assert backend.feeds["x"].flags.c_contiguous


def test_inputs_of_a_score_indices_flags_and_biases_are_held_to_their_specs():
    inputs = [
        spec("ids", "batch", 4, dtype="int64", indexes=[{"size": 10, "from_end": False}]),
        spec("weight", "batch"),
        spec("explain", dtype="bool"),
        spec("bias", 3, optional=True),
    ]
    session = Session(Native(), tiny_metadata(target="score", inputs=inputs, on_demand=True))
    right = {"ids": np.zeros((2, 4), np.int64), "weight": np.ones(2, np.float32), "explain": np.array(True)}
    session.run(right)
    session.run({**right, "bias": np.ones(3, np.float32)})
    for name, wrong in {
        "ids": np.full((2, 4), 10),
        "weight": np.ones(3, np.float32),
        "explain": np.array([True]),
        "bias": np.ones(4, np.float32),
    }.items():
        with pytest.raises(InputError, match=f"^{name} has "):
            session.run({**right, name: wrong})
