"""``fgcompile serve`` in a process of its own, and how to ask it."""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fgcompile
from benchmarks.processes import HOST, free_port, running
from tests.tiny_artifacts import onnx_artifact, tiny_metadata

if find_spec("kserve") is None:  # not imported: its protocol buffers have the names of tritonclient's
    pytest.skip("needs the extra serve", allow_module_level=True)
http = pytest.importorskip("tritonclient.http")
grpc = pytest.importorskip("tritonclient.grpc")


class Server:
    """A running server, and how to ask it."""

    def __init__(self, path: Path, port: int, grpc_port: int) -> None:
        self.pid = 0
        self.session = fgcompile.load(path)
        self.url = f"http://{HOST}:{port}"
        self.rest = http.InferenceServerClient(f"{HOST}:{port}")
        self.grpc = grpc.InferenceServerClient(f"{HOST}:{grpc_port}")

    def post(self, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """The status and the answer to a body, as it is."""
        request = urllib.request.Request(f"{self.url}/v2/models/tiny/infer", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def infer(self, protocol: Any, x: np.ndarray, target: np.ndarray, **options: Any) -> Any:
        """The answer of Triton's client for a protocol."""
        inputs = [protocol.InferInput("x", x.shape, "FP32"), protocol.InferInput("target", target.shape, "INT64")]
        for tensor, value in zip(inputs, (x, target), strict=True):
            tensor.set_data_from_numpy(value)
        client = self.rest if protocol is http else self.grpc
        return client.infer("tiny", inputs, **options)

    def require_right_answer(self) -> None:
        """Both protocols answer a valid request as the session does."""
        x = np.random.default_rng(0).normal(size=(3, 3, 4, 4)).astype(np.float32)
        target = np.array([-1, 4, 0])
        expected = self.session.run({"x": x, "target": target})
        for protocol in (http, grpc):
            for shape in ((3,), (3, 1)):
                answer = self.infer(protocol, x, target.reshape(shape))
                for name, value in expected.items():
                    np.testing.assert_array_equal(answer.as_numpy(name), value)


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[Server]:
    """A server of the tiny artifact, started with further options."""
    path = folder / "tiny.onnx"
    path.write_bytes(onnx_artifact(tiny_metadata()))
    port, grpc_port = free_port(), free_port()
    command = [
        sys.executable,
        "-m",
        "fgcompile",
        "serve",
        str(path),
        "--port",
        str(port),
        "--grpc-port",
        str(grpc_port),
        *options,
    ]
    server = Server(path, port, grpc_port)
    with running(
        command,
        lambda: server.rest.is_model_ready("tiny") and server.grpc.is_model_ready("tiny"),
        folder / "log",
    ) as process:
        server.pid = process.pid
        yield server
