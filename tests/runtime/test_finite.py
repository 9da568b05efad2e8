"""Inputs that overflow on the way say so, in every runtime; a logit of -inf is a class masked out."""

import warnings

import numpy as np
import pytest

from fgcompile.artifact.names import SUFFIXES
from fgcompile.errors import NonFiniteWarning
from fgcompile.runtime import Session, load
from tests.support.tiny_artifacts import onnx_artifact, tiny_metadata, torchscript_artifact

X = np.ones((1, 3, 4, 4), np.float32)
HUGE = X * np.finfo(np.float32).max


@pytest.mark.parametrize("runtime", ["onnx", "openvino", "torchscript"])
def test_overflow_is_said_by_name(runtime, tmp_path):
    if runtime == "openvino":
        pytest.importorskip("openvino")
    path = (tmp_path / "tiny").with_suffix(SUFFIXES["torchscript" if runtime == "torchscript" else "onnx"])
    path.write_bytes(torchscript_artifact() if runtime == "torchscript" else onnx_artifact())
    session = load(path, providers=["OpenVINO"] if runtime == "openvino" else None)
    for call in (session.explain, session.predict):
        with pytest.warns(NonFiniteWarning, match=r"^logits has \d of 5 values that are NaN or infinite: float32 over"):
            call(HUGE)
    with warnings.catch_warnings():
        warnings.simplefilter("error", NonFiniteWarning)
        session.explain(X)
        session.run({"x": HUGE, "target": np.array([0])})


class Given:
    def __init__(self, **outputs):
        self.outputs = outputs

    def run(self, feeds):
        return self.outputs


def test_a_masked_class_is_no_overflow():
    logits = np.array([[0, -np.inf]], np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error", NonFiniteWarning)
        Session(Given(logits=logits), tiny_metadata()).explain(X)
    with pytest.warns(NonFiniteWarning, match="^saliency has 1 of 1 values"):
        Session(Given(logits=logits, saliency=logits[:, 1:]), tiny_metadata()).explain(X)
