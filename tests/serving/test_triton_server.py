"""``fgcompile triton --backend python`` in a real Triton server, asked by its own clients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import fgcompile
from benchmarks.serving.triton_server import missing, triton
from fgcompile.serving.triton import Deployment, write_models
from tests.support.tiny_artifacts import onnx_artifact, tiny_metadata

CLIENT = "needs tritonclient: pip install 'tritonclient[grpc,http]'"
http = pytest.importorskip("tritonclient.http", reason=CLIENT)
grpc = pytest.importorskip("tritonclient.grpc", reason=CLIENT)

if reason := missing():
    pytest.skip(reason, allow_module_level=True)


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Any, Any]]:
    folder = tmp_path_factory.mktemp("triton")
    path = folder / "tiny.onnx"
    path.write_bytes(onnx_artifact(tiny_metadata()))
    write_models([path], folder / "models", Deployment(python=True, max_batch=8))
    with triton(folder, folder / "models", "tiny") as asked:
        yield asked


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> fgcompile.Session:
    path = tmp_path_factory.mktemp("session") / "tiny.onnx"
    path.write_bytes(onnx_artifact(tiny_metadata()))
    return fgcompile.load(path)


def _infer(clients: dict[Any, Any], protocol: Any, x: np.ndarray, target: np.ndarray, **options: Any) -> Any:
    from benchmarks.serving.served import as_inputs  # which needs tritonclient

    return clients[protocol].infer("tiny", as_inputs(protocol, x, target), **options)


@pytest.mark.parametrize("protocol", [http, grpc])
def test_triton_answers_as_the_session_does(clients: dict[Any, Any], session: fgcompile.Session, protocol: Any) -> None:
    for batch in (1, 3, 8):
        x = np.random.default_rng(batch).normal(size=(batch, 3, 4, 4)).astype(np.float32)
        target = np.arange(batch) % 6 - 1
        expected = session.run({"x": x, "target": target})
        answer = _infer(clients, protocol, x, target[:, np.newaxis])
        for name, value in expected.items():
            np.testing.assert_array_equal(answer.as_numpy(name), value)


@pytest.mark.parametrize("protocol", [http, grpc])
def test_an_answer_holds_what_was_asked_for(clients: dict[Any, Any], protocol: Any) -> None:
    wanted = [protocol.InferRequestedOutput("saliency")]
    answer = _infer(clients, protocol, np.ones((1, 3, 4, 4), np.float32), np.array([[2]]), outputs=wanted)
    assert answer.as_numpy("saliency").shape == (1, 1, 4, 4)
    assert answer.as_numpy("logits") is None


def test_classes_come_by_name(clients: dict[Any, Any], session: fgcompile.Session) -> None:
    x = np.ones((1, 3, 4, 4), np.float32)
    best = int(session.predict(x).argmax())
    wanted = [http.InferRequestedOutput("logits", class_count=1)]
    ((answer,),) = _infer(clients, http, x, np.array([[-1]]), outputs=wanted).as_numpy("logits")
    _score, index, label = answer.decode().split(":")
    assert (int(index), label) == (best, tiny_metadata()["labels"][best])


@pytest.mark.parametrize("protocol", [http, grpc])
@pytest.mark.parametrize(
    ("x", "target", "message"),
    [
        (np.full((1, 3, 4, 4), np.nan, np.float32), [[0]], "NaN or infinite"),
        (np.ones((1, 3, 4, 4), np.float32), [[5]], "target 5 is out of range"),
        (np.ones((1, 3, 4, 4), np.float32), [[-2]], "target -2 is out of range"),
        (np.ones((9, 3, 4, 4), np.float32), [[0]] * 9, "must be <= 8"),  # Triton's own refusals from here on
        (np.ones((1, 3, 4, 5), np.float32), [[0]], "unexpected shape"),
        (np.ones((2, 3, 4, 4), np.float32), [[0]], "batch"),
        (np.ones((2, 3, 4, 4), np.float32), [0, 0], "unexpected shape"),
    ],
)
def test_bad_requests_are_refused(
    clients: dict[Any, Any], protocol: Any, x: np.ndarray, target: list[Any], message: str
) -> None:
    with pytest.raises(Exception, match=message) as refusal:  # the clients' own
        _infer(clients, protocol, x, np.array(target))
    if protocol is grpc:
        assert refusal.value.status() == "StatusCode.INVALID_ARGUMENT"
