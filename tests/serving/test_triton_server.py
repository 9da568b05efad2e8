"""``fgcompile triton --backend python`` in a real Triton server, asked by its own clients.

The server is the one in the package nvidia-pytriton, in a virtual environment of its own, since it wants an older
NumPy: ``make triton`` installs it.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fgcompile
from benchmarks.processes import HOST, free_port, running
from fgcompile.serving.triton import Deployment, write_models
from tests.tiny_artifacts import onnx_artifact, tiny_metadata

http = pytest.importorskip("tritonclient.http")
grpc = pytest.importorskip("tritonclient.grpc")

ENVIRONMENT = Path(os.environ.get("TRITON_VENV", ".venv/triton")).absolute()
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
PACKAGES = ENVIRONMENT / "lib" / f"python{PYTHON}" / "site-packages"
SERVER = PACKAGES / "pytriton" / "tritonserver"
if not SERVER.exists():
    pytest.skip("needs a Triton server: make triton", allow_module_level=True)


def _link_backend(folder: Path) -> Path:
    """The Python backend with the stub of this Python, which the package keeps apart."""
    backend = folder / "python"
    backend.mkdir(parents=True)
    for path in (*(SERVER / "backends/python").iterdir(), *(SERVER / "python_backend_stubs" / PYTHON).iterdir()):
        (backend / path.name).symlink_to(path)
    return folder


@pytest.fixture(scope="module")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Any, Any]]:
    folder = tmp_path_factory.mktemp("triton")
    path = folder / "tiny.onnx"
    path.write_bytes(onnx_artifact(tiny_metadata()))
    write_models([path], folder / "models", Deployment(python=True, max_batch=8))
    ports = {"http": free_port(), "grpc": free_port()}
    command = [
        str(SERVER / "bin/tritonserver"),
        f"--model-repository={folder / 'models'}",
        f"--backend-directory={_link_backend(folder / 'backends')}",
        "--allow-metrics=false",
        "--exit-timeout-secs=5",
        *(option for name, port in ports.items() for option in (f"--{name}-address={HOST}", f"--{name}-port={port}")),
    ]
    libraries = [str(PACKAGES / "nvidia_pytriton.libs"), str(sysconfig.get_config_var("LIBDIR"))]
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": ":".join(libraries),
        "PATH": f"{ENVIRONMENT / 'bin'}:{os.environ['PATH']}",  # the stub runs the Python that it finds
    }
    environment.pop("PYTHONPATH", None)
    asked = {
        protocol: protocol.InferenceServerClient(f"{HOST}:{port}")
        for protocol, port in zip((http, grpc), ports.values(), strict=True)
    }
    with running(
        command, lambda: all(client.is_model_ready("tiny") for client in asked.values()), folder / "log", environment
    ):
        yield asked
        for client in asked.values():
            client.close()


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> fgcompile.Session:
    path = tmp_path_factory.mktemp("session") / "tiny.onnx"
    path.write_bytes(onnx_artifact(tiny_metadata()))
    return fgcompile.load(path)


def _infer(clients: dict[Any, Any], protocol: Any, x: np.ndarray, target: np.ndarray, **options: Any) -> Any:
    inputs = [protocol.InferInput("x", x.shape, "FP32"), protocol.InferInput("target", target.shape, "INT64")]
    for tensor, value in zip(inputs, (x, target), strict=True):
        tensor.set_data_from_numpy(value)
    return clients[protocol].infer("tiny", inputs, **options)


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
