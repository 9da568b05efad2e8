"""``fgcompile serve`` in a process of its own, and how to ask it."""

from __future__ import annotations

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
from tests.support.tiny_artifacts import onnx_artifact, tiny_metadata

if find_spec("uvicorn") is None:
    pytest.skip("needs uvicorn: pip install 'fgcompile[serve]'", allow_module_level=True)
CLIENT = "needs tritonclient: pip install 'tritonclient[grpc,http]'"
http = pytest.importorskip("tritonclient.http", reason=CLIENT)
grpc = pytest.importorskip("tritonclient.grpc", reason=CLIENT)

from benchmarks.serving import served  # noqa: E402  # which needs tritonclient


class Server:
    """A running server, and how to ask it."""

    def __init__(self, path: Path, running_server: served.Server) -> None:
        self.pid = running_server.pid
        self.session = fgcompile.load(path)
        self.log = path.parent / "log"
        self.url, self.grpc_address = f"http://{running_server.rest}", running_server.grpc
        self.rest = http.InferenceServerClient(running_server.rest)
        self.grpc = grpc.InferenceServerClient(running_server.grpc)

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
        client = self.rest if protocol is http else self.grpc
        return client.infer("tiny", served.as_inputs(protocol, x, target), **options)

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
    with served.serving(path, folder / "log", *options) as running_server:
        server = Server(path, running_server)
        yield server
        server.rest.close()
        server.grpc.close()
