"""``examples/deploy/nginx.conf`` in a real nginx before a real server: TLS, both protocols, rates, what is inside."""

from __future__ import annotations

import json
import shutil
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from benchmarks.harness.processes import HOST, free_port, running
from tests.serving.served import grpc, served
from tests.serving.test_access import TOKEN, make_certificate
from tests.support.tiny_artifacts import onnx_artifact, tiny_metadata, tiny_reference

EXAMPLE = Path(__file__).parents[2] / "examples/deploy/nginx.conf"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/opt/homebrew/bin")

pytestmark = pytest.mark.skipif(NGINX is None, reason="needs nginx: apt-get install nginx-light")


@dataclass
class Proxy:
    """A proxy before a server that wants a token."""

    port: int
    certificate: Path

    def ask(self, path: str, body: bytes | None = None, token: str = TOKEN) -> tuple[int, bytes]:
        """The status and the body of an answer."""
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        context = ssl.create_default_context(cafile=self.certificate)
        request = urllib.request.Request(f"https://{HOST}:{self.port}{path}", body, headers)
        try:
            with urllib.request.urlopen(request, context=context, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def call(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """The outputs by gRPC."""
        with grpc.InferenceServerClient(
            f"{HOST}:{self.port}", ssl=True, root_certificates=str(self.certificate)
        ) as client:
            tensors = served.as_inputs(grpc, x, np.full(len(x), -1))
            answer = client.infer("tiny", tensors, headers={"authorization": f"Bearer {TOKEN}"})
            return {name: answer.as_numpy(name) for name in ("logits", "saliency")}


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    assert NGINX is not None
    folder, port, rest, calls = tmp_path_factory.mktemp("proxy"), free_port(), free_port(), free_port()
    certificate, _ = make_certificate(folder)
    (folder / "token").write_text(TOKEN)
    (folder / "tiny.onnx").write_bytes(onnx_artifact(tiny_metadata()))
    text = EXAMPLE.read_text().replace("listen 8443", f"listen {HOST}:{port}")
    text = text.replace("127.0.0.1:8080", f"{HOST}:{rest}").replace("127.0.0.1:8081", f"{HOST}:{calls}")
    (folder / "nginx.conf").write_text(text)
    server = [sys.executable, "-m", "fgcompile", "serve", str(folder / "tiny.onnx"), "--port", str(rest)]
    server += ["--grpc-port", str(calls), "--token-file", str(folder / "token")]
    found = Proxy(port, certificate)

    def ready() -> bool:
        return found.ask("/v2/health/ready")[0] == 200

    def listens() -> bool:
        return urllib.request.urlopen(f"http://{HOST}:{rest}/v2/health/ready", timeout=5).status == 200

    with (
        running(server, listens, folder / "server.log"),
        running([NGINX, "-p", str(folder), "-c", "nginx.conf"], ready, folder / "nginx.log"),
    ):
        yield found


X = np.random.default_rng(0).normal(size=(2, 3, 4, 4)).astype(np.float32)


def body(x: np.ndarray) -> bytes:
    tensor = {"name": "x", "datatype": "FP32", "shape": x.shape, "data": x.ravel().tolist()}
    return json.dumps({"inputs": [tensor]}).encode()


def test_both_protocols_answer_on_one_port_behind_tls(proxy: Proxy) -> None:
    logits, saliency = tiny_reference(X, np.full(2, -1))
    status, answer = proxy.ask("/v2/models/tiny/infer", body(X))
    assert status == 200
    outputs = {output["name"]: output["data"] for output in json.loads(answer)["outputs"]}
    np.testing.assert_allclose(outputs["logits"], logits.ravel(), rtol=1e-5)
    np.testing.assert_allclose(proxy.call(X)["saliency"], saliency, rtol=1e-5)


def test_the_server_s_token_is_asked_for_and_its_metrics_stay_inside(proxy: Proxy) -> None:
    assert proxy.ask("/v2/models/tiny", token="another")[0] == 401
    for path in ("/metrics", "/v1/models", "/"):
        assert proxy.ask(path)[0] == 404


def test_a_body_above_the_bound_is_refused_by_the_proxy(proxy: Proxy) -> None:
    status, answer = proxy.ask("/v2/models/tiny/infer", bytes((64 << 20) + 1))
    assert (status, b"nginx" in answer) == (413, True)


def test_a_client_that_asks_without_pause_is_slowed_down(proxy: Proxy) -> None:
    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(lambda _: proxy.ask("/v2/health/live")[0], range(80)))
    assert set(statuses) == {200, 429}
    assert statuses.count(200) >= 20
