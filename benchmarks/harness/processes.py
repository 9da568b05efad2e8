"""Processes: what they take of the processor, and servers in some of their own."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

HOST = "127.0.0.1"
PATIENCE = 60.0
"""Seconds after which a server that does not answer has failed to start."""


def processor_seconds() -> float:
    """What this process, and those that it started and saw end, have taken of the processor."""
    took = os.times()
    return took.user + took.system + took.children_user + took.children_system


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str], is_ready: Callable[[], bool], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process while it serves: from when ``is_ready`` says so, or fails to be asked no longer."""
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        _wait(process, is_ready, log)
        yield process
    finally:
        process.terminate()
        process.wait(30)


def _wait(process: subprocess.Popen[bytes], is_ready: Callable[[], bool], log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        try:
            if is_ready():
                return
        except Exception:  # whatever a client raises while nobody listens
            pass
        time.sleep(0.1)
    raise AssertionError(f"not ready after {PATIENCE:.0f} s: {log.read_text()}")
