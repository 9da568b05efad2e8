"""``fgcompile serve`` in a process of its own, asked by Triton's clients and by nobody's."""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.harness.processes import HOST, free_port
from fgcompile.errors import InputError
from fgcompile.serving import Limits
from fgcompile.serving.address import Address
from fgcompile.serving.server import serve
from tests.serving.malformed import Tensor, broken_body, malformed, rest_body, valid
from tests.serving.served import Server, grpc, http, serving
from tests.support.tiny_artifacts import onnx_artifact, tiny_metadata

REFUSED_BY_GRPC = {"StatusCode.INVALID_ARGUMENT"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("serve")) as running_server:
        yield running_server


def test_both_protocols_answer_as_the_session_does(server: Server) -> None:
    server.require_right_answer()


def test_the_model_is_described(server: Server) -> None:
    metadata = server.rest.get_model_metadata("tiny")
    assert metadata["inputs"][0] == {"name": "x", "datatype": "FP32", "shape": [-1, 3, 4, 4]}
    assert [output["name"] for output in metadata["outputs"]] == ["logits", "saliency"]
    described = server.grpc.get_model_metadata("tiny")
    assert [(value.name, value.datatype, list(value.shape)) for value in described.inputs] == [
        ("x", "FP32", [-1, 3, 4, 4]),
        ("target", "INT64", [-1]),
    ]


@pytest.mark.parametrize("protocol", [http, grpc])
def test_an_answer_holds_what_was_asked_for(server: Server, protocol: Any) -> None:
    x = np.ones((1, 3, 4, 4), np.float32)
    wanted = [protocol.InferRequestedOutput("saliency")]
    answer = server.infer(protocol, x, np.array([2]), outputs=wanted, request_id="seven")
    assert answer.as_numpy("saliency").shape == (1, 1, 4, 4)
    assert answer.as_numpy("logits") is None
    response = answer.get_response()
    assert (response["id"] if protocol is http else response.id) == "seven"


def test_an_answer_says_that_numbers_overflowed(server: Server) -> None:
    huge = np.full((1, 3, 4, 4), np.finfo(np.float32).max, np.float32)
    for protocol in (http, grpc):
        for x, expected in ((huge, True), (huge / np.float32(1e30), False)):
            response = server.infer(protocol, x, np.array([2])).get_response()
            parameters = response.get("parameters") or {} if protocol is http else response.parameters
            assert ("warning" in parameters) == expected
            if expected:
                found = parameters["warning"] if protocol is http else parameters["warning"].string_param
                assert "values that are NaN or infinite: float32 overflowed on these inputs" in found


def test_metrics_count_what_was_refused(server: Server) -> None:
    server.post(*rest_body(malformed(random.Random(1))))
    with urllib.request.urlopen(f"{server.url}/metrics") as answer:
        assert b'fgcompile_refused_requests_total{model="tiny"}' in answer.read()


def test_it_listens_where_it_was_told_to(server: Server) -> None:
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {HOST}
    port = int(server.url.rpartition(":")[2])
    for address in others:
        with pytest.raises(OSError, match=r"refused|unreachable|timed out"):
            socket.create_connection((address, port), timeout=2)


def test_a_body_above_the_limit_is_not_read(server: Server) -> None:
    status, answer = server.post(bytes((64 << 20) + 1), {"Content-Type": "application/json"})
    assert status == 413
    assert b"67108864 are allowed" in answer
    server.require_right_answer()


def test_a_body_in_chunks_is_counted(server: Server) -> None:
    """Nobody announces how long it is, and the last chunk may be the one too many."""
    connection = HTTPConnection(HOST, int(server.url.rpartition(":")[2]), timeout=60)
    body, headers = rest_body(valid(random.Random(0)))
    for chunks, status in ((iter([body[:100], body[100:]]), 200), (iter([bytes(1 << 20)] * 64 + [b"x"]), 413)):
        connection.request("POST", "/v2/models/tiny/infer", chunks, headers, encode_chunked=True)
        answer = connection.getresponse()
        assert answer.status == status
        assert answer.read()


def _ask_grpc(server: Server, tensors: list[Tensor]) -> str:
    """The status of a request that Triton's own client would not let through."""
    from tritonclient.grpc import service_pb2

    request = service_pb2.ModelInferRequest(model_name="tiny")
    for tensor in tensors:
        shape = [max(min(size, 2**63 - 1), -(2**63)) for size in tensor["shape"]]
        request.inputs.add(name=tensor["name"], datatype=tensor["datatype"], shape=shape)
        request.raw_input_contents.append(tensor["raw"])
    try:
        server.grpc._client_stub.ModelInfer(request, timeout=30)
    except Exception as error:  # grpc's own, which says its code
        return str(error.code()) if error.details() else "a refusal without a reason"
    return "answered"


def _sweep(server: Server, count: int, seed: int) -> None:
    generator = random.Random(seed)
    for number in range(count):
        tensors = malformed(generator)
        status, answer = server.post(*rest_body(tensors))
        assert 400 <= status < 500, (status, answer, tensors)
        assert answer
        assert _ask_grpc(server, tensors) in REFUSED_BY_GRPC, tensors
        body, headers = broken_body(generator)
        status, answer = server.post(body, headers)
        assert 400 <= status < 500, (status, answer, body[:300], headers)
        if number % 10 == 0:
            server.require_right_answer()
            assert server.post(*rest_body(valid(generator)))[0] == 200


def test_malformed_requests_are_refused(server: Server) -> None:
    _sweep(server, 60, seed=0)


@pytest.mark.slow
def test_a_thousand_malformed_requests_are_refused(server: Server) -> None:
    _sweep(server, 400, seed=1)


def test_two_artifacts_of_one_name_are_refused(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "tiny.onnx").write_bytes(onnx_artifact(tiny_metadata()))
    with pytest.raises(InputError, match="two artifacts are called 'tiny'"):
        serve([tmp_path / "a/tiny.onnx", tmp_path / "b/tiny.onnx"], Address(), Limits())


def test_it_says_where_its_models_are_and_what_to_ask(server: Server) -> None:
    log = server.log.read_text()
    assert f"serving tiny: REST on {server.url}, gRPC on {server.grpc_address}" in log
    command = log.partition("what tiny takes: ")[2].splitlines()[0]
    assert command == f"curl -s {server.url}/v2/models/tiny"
    with urllib.request.urlopen(command.split()[-1], timeout=30) as answer:
        assert json.load(answer)["name"] == "tiny"


def test_a_taken_port_is_refused(server: Server, tmp_path: Path) -> None:
    (tmp_path / "tiny.onnx").write_bytes(onnx_artifact(tiny_metadata()))
    taken = int(server.url.rpartition(":")[2])
    command = [sys.executable, "-m", "fgcompile", "serve", str(tmp_path / "tiny.onnx"), "--grpc-port", str(taken)]
    done = subprocess.run([*command, "--port", str(free_port())], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert f"cannot listen on port {taken} of {HOST}" in done.stderr
    assert "Traceback" not in done.stderr
