"""``fgcompile serve --workers``: what a client sees when a worker is killed."""

from __future__ import annotations

import os
import signal
import time
import urllib.request
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from benchmarks.harness.processes import PATIENCE
from fgcompile.errors import FgcompileError, InputError
from fgcompile.serving import Limits
from fgcompile.serving.address import Address
from fgcompile.serving.server import serve
from fgcompile.serving.workers import supervise
from tests.serving.served import Server, served, serving

COUNTER = "request_predict_seconds"
"""The histogram of the time of requests."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("workers"), "--workers", "2") as running_server:
        yield running_server


def _workers(server: Server) -> set[int]:
    return {worker.pid for worker in served.find_workers(server.pid)}


def _wait_for(server: Server, count: int) -> None:
    """Waits until so many workers serve: each port is listened on that often."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        listening = [
            sum(connection.status == psutil.CONN_LISTEN for connection in psutil.Process(pid).connections())
            for pid in _workers(server)
        ]
        if listening == [2] * count:
            return
        time.sleep(0.1)
    raise AssertionError(f"{count} workers are due, and listen to: {listening}")


def test_a_killed_worker_is_replaced(server: Server) -> None:
    _wait_for(server, 2)
    server.require_right_answer()
    before = _workers(server)
    killed = min(before)
    os.kill(killed, signal.SIGKILL)
    _retry(server)  # a connection to the killed worker breaks once
    _wait_for(server, 2)
    after = _workers(server)
    assert killed not in after
    assert len(after & before) == 1
    for _ in range(8):
        server.require_right_answer()


def test_a_worker_that_is_told_to_stop_loses_nothing_and_is_replaced(server: Server) -> None:
    _wait_for(server, 2)
    server.require_right_answer()
    before = _workers(server)
    for told in sorted(before):
        os.kill(told, signal.SIGTERM)
        end = time.monotonic() + PATIENCE
        while told in _workers(server) and time.monotonic() < end:
            server.require_right_answer()
        _wait_for(server, 2)
    assert not before & _workers(server)


def _retry(server: Server) -> None:
    for _ in range(5):
        try:
            server.require_right_answer()
        except AssertionError:
            raise
        except Exception:  # the clients' own, for a broken connection
            time.sleep(0.2)
        else:
            return
    raise AssertionError("no right answer in five tries")


def test_metrics_are_those_of_all_workers(server: Server) -> None:
    """Whichever worker is asked, it tells the same, and more after more requests."""
    _wait_for(server, 2)
    counts = []
    for _ in range(6):
        with urllib.request.urlopen(f"{server.url}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        counts.append(sum(float(line.split()[-1]) for line in lines if line.startswith(f"{COUNTER}_count")))
        server.require_right_answer()  # four requests
    assert [later - earlier for earlier, later in pairwise(counts)] == [4.0] * 5


def test_workers_that_give_up_are_not_replaced(capfd: pytest.CaptureFixture[str]) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(FgcompileError, match="ended with status 2"):
            supervise(partial(Limits, batch=0), 2, print)  # which raises InputError
    finally:
        signal.signal(signal.SIGTERM, handler)
    assert "the largest batch of a request is 0" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("options", "reason"), [({"workers": 0}, "number of workers is 0"), ({"concurrency": 0}, "concurrency is 0")]
)
def test_none_at_all_are_refused(options: dict[str, int], reason: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=reason):
        serve([tmp_path / "tiny.onnx"], Address(), Limits(), **options)
