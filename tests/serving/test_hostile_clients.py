"""Clients of ``fgcompile serve`` that do not go on, ask for what is not theirs, or send what nobody should."""

from __future__ import annotations

import json
import random
import re
import socket
import struct
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.serving.malformed import rest_body, valid
from tests.serving.served import Server, grpc, http, serving

OPTIONS = ("--patience", "1", "--idle", "2", "--max-body", "4", "--max-memory", "16", "--max-connections", "12")
INFER = "POST /v2/models/tiny/infer HTTP/1.1\r\nHost: a\r\n"
ERRORS = (http.InferenceServerException, grpc.InferenceServerException)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with serving(folder, *OPTIONS) as running_server:
        yield running_server
    log = (folder / "log").read_text()
    assert "Traceback" not in log
    assert "stopped" in log


def _connect(server: Server) -> socket.socket:
    host, _, port = server.url.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=30)


def _read(connection: socket.socket) -> bytes:
    """All that comes until the server closes."""
    received = b""
    while chunk := connection.recv(1 << 16):
        received += chunk
    return received


def _exchange(server: Server, request: bytes) -> bytes:
    with _connect(server) as connection:
        connection.sendall(request)
        return _read(connection)


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"", rb""),
        (b"GET /v2/health/live HTTP/1.1\r\nHo", rb"HTTP/1.1 408"),
        (b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\n\r\n", rb'HTTP/1.1 200[^$]*\{"live":true\}$'),
        (f"{INFER}Content-Length: 4000000\r\n\r\n{{".encode(), rb"HTTP/1.1 408[^$]*no byte of the body came"),
        (f"{INFER}Transfer-Encoding: chunked\r\n\r\n1\r\n".encode(), rb"HTTP/1.1 408"),
        (b"nothing\r\n\r\n", rb"HTTP/1.1 400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"a" * 20_000, rb"HTTP/1.1 400"),
    ],
    ids=["nothing", "half a head", "idle", "half a body", "half a chunk", "no HTTP", "a long head"],
)
def test_who_does_not_go_on_is_let_go(server: Server, sent: bytes, answer: bytes) -> None:
    assert re.match(answer, _exchange(server, sent))


def test_many_half_sent_bodies_do_not_keep_others_out(server: Server) -> None:
    """Two have all the memory there is; the others wait, and are told so, or take the place of those that go."""
    with ExitStack() as stack:
        clients = [stack.enter_context(_connect(server)) for _ in range(8)]
        for client in clients:
            client.sendall(f"{INFER}Content-Length: 4194304\r\n\r\n".encode() + bytes(1000))
        answers = [client.recv(1000) for client in clients]
    assert {answer[:12] for answer in answers} == {b"HTTP/1.1 408", b"HTTP/1.1 429"}
    assert all(b"retry-after" in answer for answer in answers if b" 429 " in answer)
    server.require_right_answer()


def test_where_there_are_too_many_connections_the_oldest_idle_one_goes(server: Server) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(_connect(server)) for _ in range(30)]
        with urllib.request.urlopen(f"{server.url}/v2/health/live", timeout=10) as answer:
            assert answer.status == 200
        with suppress(ConnectionResetError):
            assert clients[0].recv(1) == b""


@pytest.mark.parametrize("verb", ["load_model", "unload_model"])
def test_models_are_not_for_clients_to_control(server: Server, verb: str) -> None:
    for verb_path in ("load", "unload"):
        request = urllib.request.Request(f"{server.url}/v2/repository/models/tiny/{verb_path}", b"")
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(request)
    with pytest.raises(grpc.InferenceServerException, match="--model-control"):
        getattr(server.grpc, verb)("tiny")
    assert server.rest.is_server_ready()
    server.require_right_answer()


@pytest.mark.parametrize(
    "path", ["/v2/models/nobody/ready", "/v2/models/a%0a%1b%5b2J", "/x", "/v2/models/tiny/versions/1"]
)
def test_what_is_not_there_is_said_to_be_not_there(server: Server, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        urllib.request.urlopen(f"{server.url}{path}")
    assert json.load(caught.value)["error"].isprintable()


def test_gRPC_refuses_what_REST_refuses(server: Server) -> None:  # noqa: N802
    from tritonclient.grpc import service_pb2

    stub = server.grpc._client_stub
    for call, request, code in (
        (stub.ModelReady, service_pb2.ModelReadyRequest(name="nobody"), "NOT_FOUND"),
        (stub.ModelInfer, service_pb2.ModelInferRequest(model_name="nobody"), "NOT_FOUND"),
        (stub.ModelInfer, service_pb2.ModelInferRequest(model_name="tiny"), "INVALID_ARGUMENT"),
        (stub.ModelConfig, service_pb2.ModelConfigRequest(name="tiny"), "UNIMPLEMENTED"),
        (stub.ModelInfer, service_pb2.ModelInferRequest(raw_input_contents=[bytes(5 << 20)]), "RESOURCE_EXHAUSTED"),
    ):
        with pytest.raises(Exception, match=f"StatusCode.{code}"):
            call(request, timeout=30)


def test_refusals_are_counted_whoever_they_are_of(server: Server) -> None:
    def count() -> dict[str, float]:
        with urllib.request.urlopen(f"{server.url}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        pairs = (line.split() for line in lines if line.startswith("fgcompile_refused_requests_total"))
        return {name: float(value) for name, value in pairs}

    before = count()
    _exchange(server, b"nothing\r\n\r\n")
    server.post(b"{}", {})
    after = count()
    assert {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)} == {
        'fgcompile_refused_requests_total{model=""}': 1,
        'fgcompile_refused_requests_total{model="tiny"}': 1,
    }


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    body, headers = rest_body(valid(random.Random(0)))
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request = f"{INFER}Content-Length: {len(body)}\r\n{lines}\r\n".encode() + body
    received = _exchange(server, request + b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n" + request)
    assert re.findall(rb"HTTP/1.1 (\d+)", received) == [b"200", b"404", b"200"]


def test_what_says_twice_where_its_body_ends_is_the_last_of_its_connection(server: Server) -> None:
    smuggled = "GET /v2/models/other HTTP/1.1\r\nHost: a\r\n\r\n"
    request = f"{INFER}Content-Length: {5 + len(smuggled)}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}"
    answer = _exchange(server, request.encode())
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1


def test_an_output_is_asked_for_once(server: Server) -> None:
    x = {"name": "x", "datatype": "FP32", "shape": [1, 3, 4, 4], "data": [0.5] * 48}
    body = json.dumps({"inputs": [x], "outputs": [{"name": "saliency"}] * 900}).encode()
    assert b"asks for 'saliency' more than once" in server.post(body, {})[1]


def test_who_goes_in_the_midst_of_an_answer_fills_no_log(server: Server, folder: Path) -> None:
    with _connect(server) as connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 50)
        connection.recv(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert server.rest.is_server_live()
    assert "socket.send()" not in (folder / "log").read_text()
