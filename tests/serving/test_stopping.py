"""SIGTERM: what was accepted is answered, clients are told to go, and the process ends."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path

from benchmarks.harness.processes import HOST, free_port, running
from tests.serving.malformed import rest_body, valid
from tests.serving.served import http
from tests.support.tiny_artifacts import onnx_artifact, tiny_metadata


def _start(folder: Path, *options: str) -> tuple[list[str], int, int]:
    (folder / "tiny.onnx").write_bytes(onnx_artifact(tiny_metadata()))
    port, grpc_port = free_port(), free_port()
    command = [sys.executable, "-m", "fgcompile", "serve", str(folder / "tiny.onnx"), *options]
    return [*command, "--port", str(port), "--grpc-port", str(grpc_port)], port, grpc_port


def _is_ready(port: int) -> bool:
    return bool(http.InferenceServerClient(f"{HOST}:{port}").is_server_ready())


def _wait(log: Path, text: str) -> None:
    end = time.monotonic() + 60
    while text not in log.read_text():
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)


def test_accepted_requests_are_answered_and_clients_told_to_go(tmp_path: Path) -> None:
    command, port, _ = _start(tmp_path)
    body, headers = rest_body(valid(random.Random(0)))
    with running(command, lambda: _is_ready(port), tmp_path / "log") as process:
        with closing(HTTPConnection(HOST, port)) as midway, closing(HTTPConnection(HOST, port)) as idle:
            idle.request("GET", "/v2")
            assert idle.getresponse().read()
            midway.putrequest("POST", "/v2/models/tiny/infer")
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                midway.putheader(name, value)
            midway.endheaders(body[:50])
            time.sleep(0.2)  # until it has been accepted
            os.kill(process.pid, signal.SIGTERM)
            _wait(tmp_path / "log", "stopping")
            idle.request("GET", "/v2/health/ready")
            answer = idle.getresponse()
            assert (answer.status, answer.headers["connection"]) == (503, "close")
            midway.send(body[50:])
            answer = midway.getresponse()
            assert (answer.status, answer.headers["connection"]) == (200, "close")
            assert answer.read()
        assert process.wait(30) == 0


def test_a_request_without_end_does_not_keep_it(tmp_path: Path) -> None:
    command, port, _ = _start(tmp_path, "--patience", "1")
    with (
        running(command, lambda: _is_ready(port), tmp_path / "log") as process,
        closing(HTTPConnection(HOST, port)) as midway,
    ):
        midway.putrequest("POST", "/v2/models/tiny/infer")
        midway.putheader("Content-Length", "100")
        midway.endheaders(b"{")
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(30) == 0


def test_a_client_that_may_unloads_and_loads(tmp_path: Path) -> None:
    command, port, grpc_port = _start(tmp_path, "--model-control")
    from tritonclient import grpc

    with running(command, lambda: _is_ready(port), tmp_path / "log"):
        rest, over_grpc = (
            http.InferenceServerClient(f"{HOST}:{port}"),
            grpc.InferenceServerClient(f"{HOST}:{grpc_port}"),
        )
        rest.unload_model("tiny")
        for client in (rest, over_grpc):
            assert client.is_server_live()
            assert not client.is_server_ready()
            assert not client.is_model_ready("tiny")
        over_grpc.load_model("tiny")
        for client in (rest, over_grpc):
            assert client.is_server_ready()
            assert client.is_model_ready("tiny")


def test_several_workers_are_not_controlled(tmp_path: Path) -> None:
    command, _, _ = _start(tmp_path, "--model-control", "--workers", "2")
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "reaches one worker" in done.stderr
