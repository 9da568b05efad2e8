"""TLS and a token, over both protocols."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.harness.processes import HOST, free_port, running
from fgcompile.errors import InputError
from fgcompile.serving.access import Access, read_access
from fgcompile.serving.address import allow_connections
from tests.serving.served import grpc
from tests.support.tiny_artifacts import onnx_artifact, tiny_metadata

TOKEN = "0123456789abcdef-secret"


@dataclass
class Secured:
    """Where a server listens, and its certificate."""

    url: str
    grpc: str
    certificate: Path

    def get(self, path: str, token: str | None = None) -> int:
        """The status of an answer of REST."""
        headers = {"Authorization": token} if token else {}
        context = ssl.create_default_context(cafile=self.certificate)
        try:
            request = urllib.request.Request(f"{self.url}{path}", headers=headers)
            with urllib.request.urlopen(request, context=context, timeout=30) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of this machine that signs itself, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    names = ["-subj", "/CN=localhost", "-addext", f"subjectAltName=DNS:localhost,IP:{HOST}"]
    subprocess.run([*command, *names, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return certificate, key


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")
    certificate, key = make_certificate(folder)
    (folder / "token").write_text(f"{TOKEN}\n")
    (folder / "tiny.onnx").write_bytes(onnx_artifact(tiny_metadata()))
    port, grpc_port = free_port(), free_port()
    command = [sys.executable, "-m", "fgcompile", "serve", str(folder / "tiny.onnx"), "--port", str(port)]
    command += ["--grpc-port", str(grpc_port), "--tls-cert", str(certificate), "--tls-key", str(key)]
    server = Secured(f"https://{HOST}:{port}", f"{HOST}:{grpc_port}", certificate)
    log = folder / "log"
    with running([*command, "--token-file", str(folder / "token")], lambda: server.get("/v2/health/ready") == 200, log):
        yield server
    assert "Traceback" not in log.read_text()
    assert TOKEN not in log.read_text()


@pytest.mark.parametrize("path", ["/v2", "/v2/models/tiny", "/metrics", "/v1/models"])
def test_rest_wants_the_token(secured: Secured, path: str) -> None:
    assert secured.get(path) == 401
    assert secured.get(path, "Bearer wrong") == 401
    assert secured.get(path, TOKEN) == 401
    assert secured.get(path, f"Bearer {TOKEN}") == 200
    assert secured.get(path, f"bearer {TOKEN}") == 200


def test_grpc_wants_the_token(secured: Secured) -> None:
    client = grpc.InferenceServerClient(secured.grpc, ssl=True, root_certificates=str(secured.certificate))
    assert client.is_server_live()
    for headers in (None, {"authorization": "Bearer wrong"}):
        with pytest.raises(grpc.InferenceServerException, match="UNAUTHENTICATED"):
            client.get_model_metadata("tiny", headers=headers)
    assert client.get_model_metadata("tiny", headers={"authorization": f"Bearer {TOKEN}"}).name == "tiny"


def test_probes_need_none(secured: Secured) -> None:
    assert secured.get("/v2/health/live") == 200


def test_without_tls_nobody_is_answered(secured: Secured) -> None:
    with pytest.raises(OSError, match=r"closed|reset|BadStatus|disconnected|Remote"):
        urllib.request.urlopen(secured.url.replace("https", "http"), timeout=30)


@pytest.mark.parametrize("content", ["", "short", "two words of a token", "é" * 20])
def test_a_token_is_one_long_word(tmp_path: Path, content: str) -> None:
    (tmp_path / "token").write_text(content)
    with pytest.raises(InputError, match="one word of at least 16"):
        read_access(None, None, tmp_path / "token")


def test_files_that_are_not_what_they_should_be_are_refused(tmp_path: Path) -> None:
    (tmp_path / "cert.pem").write_text("no certificate")
    with pytest.raises(InputError, match="give both"):
        read_access(tmp_path / "cert.pem", None, None)
    with pytest.raises(InputError, match="no certificate with its key"):
        read_access(tmp_path / "cert.pem", tmp_path / "cert.pem", None)
    with pytest.raises(InputError, match="cannot read the token"):
        read_access(None, None, tmp_path / "absent")


def test_secrets_are_not_printed() -> None:
    assert "secret" not in repr(Access(token=b"secret", certificate=b"public", key=b"secret"))


def test_more_connections_than_the_system_allows_are_refused() -> None:
    resource = pytest.importorskip("resource", reason="this system has no limits on open files")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (700, before[1]))
        allow_connections(300)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (800, before[1])
        if before[1] != resource.RLIM_INFINITY:
            with pytest.raises(InputError, match="raise ulimit"):
                allow_connections(before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names, which this system has not")
def test_a_token_that_never_ends_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(InputError, match="cannot read the token"):
            read_access(None, None, path)
