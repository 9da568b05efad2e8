"""A server watched while it is attacked: how long it takes to say that it lives, and what memory it has."""

from __future__ import annotations

import multiprocessing
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import psutil

from fgcompile.artifact.validation import Array

PAUSE = 0.02
_PROBE = b"GET /v2/health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


@dataclass
class Seen:
    """What was seen.

    Attributes:
        live: Seconds of each probe of the server; infinite where there was no right answer.
        control: Those of a process that does nothing else: what this machine makes anybody wait.
        megabytes: The server's memory, over time.
        begun: When each probe began, by the clock of ``time.time``.
    """

    live: Array = field(default_factory=lambda: np.empty(0))
    control: Array = field(default_factory=lambda: np.empty(0))
    megabytes: list[float] = field(default_factory=list)
    begun: Array = field(default_factory=lambda: np.empty(0))

    def between(self, start: float, end: float) -> Array:
        """The server's probes that began in a span of time."""
        chosen: Array = self.live[(self.begun >= start) & (self.begun <= end)]
        return chosen


@contextmanager
def watching(pid: int, place: tuple[str, int]) -> Iterator[Seen]:
    """Watches a server of a process at a place; what was seen is complete when the context has ended."""
    seen, spawn = Seen(), multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    control, port_of = spawn.Pipe()
    processes = [spawn.Process(target=_control, args=(port_of,), daemon=True)]
    processes[0].start()
    processes.append(spawn.Process(target=_probe, args=(theirs, place, control.recv()), daemon=True))
    processes[1].start()
    ours.recv()
    done = threading.Event()
    sampler = threading.Thread(target=_sample, args=(pid, seen.megabytes, done))
    sampler.start()
    try:
        yield seen
    finally:
        done.set()
        sampler.join()
        ours.send(None)
        seen.begun, seen.live, seen.control = ours.recv()
        for process in processes:
            process.terminate()


def _sample(pid: int, megabytes: list[float], done: threading.Event) -> None:
    process = psutil.Process(pid)
    while not done.wait(PAUSE):
        megabytes.append(process.memory_info().rss / 1e6)


def _control(port_of: Connection) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port_of.send(listening.getsockname()[1])
        while True:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(_ANSWER)


def _probe(ours: Any, place: tuple[str, int], control: int) -> None:
    begun, live, idle = [], [], []
    ours.send(None)
    while not ours.poll():
        begun.append(time.time())
        live.append(_ask(place, b" 200 "))
        idle.append(_ask(("127.0.0.1", control), b" 200 "))
        time.sleep(PAUSE)
    ours.send((np.array(begun), np.array(live), np.array(idle)))


def _ask(place: tuple[str, int], due: bytes) -> float:
    start = time.perf_counter()
    try:
        with socket.create_connection(place, timeout=10) as connection:
            connection.sendall(_PROBE)
            answer = connection.recv(1000)
    except OSError:
        return float("inf")
    return time.perf_counter() - start if due in answer else float("inf")
