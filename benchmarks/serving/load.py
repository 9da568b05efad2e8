"""Ten minutes of many clients, one of whose servers is killed midway: what fails, what is wrong, what it costs.

    python -m benchmarks.serving.load [--seconds 600] [--clients 8] [--workers 2]

Needs the extras ``cpu``, ``demo`` and ``serve`` and the group ``test``; writes ``results/serving_load.md``.
Clients send photos in
batches of one to four, each with its own class to explain, over gRPC; every answer is compared with the session's. The
session is measured alone, before and after, in as many threads as the server has workers.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import tritonclient.grpc as grpc
from tritonclient.utils import InferenceServerException

import fgcompile
from benchmarks.harness.environment import facts, markdown_table, publish
from benchmarks.serving.served import PACKAGES, Server, as_inputs, compile_lite0, find_workers, serving
from fgcompile.artifact.validation import Array
from fgcompile.runtime import Session

OUTPUTS = ("logits", "saliency")
HEADER = ["what", "seen"]
CLASSES = 1000
REQUESTS = 24
LARGEST_BATCH = 4
OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
"""gRPC lets the channels of a process share one connection, which is one worker's; other processes have their own."""

TRIES = 50
PAUSE = 0.2
"""Seconds until a client tries again after its connection broke."""

PATIENCE = 60.0
"""Seconds after which a client gives a request up as lost."""

SESSION_SHARE = 0.05
"""The seconds of the session alone, before and after, relative to those of the load."""

SETTLED = 0.1
"""The share of the load after which memory has to be flat."""


@dataclass(frozen=True)
class Request:
    """What a client sends, and what is due."""

    x: Array
    target: Array
    expected: dict[str, Array]


@dataclass
class Tally:
    """What one client saw."""

    seconds: list[float] = field(default_factory=list)
    samples: int = 0
    broken: int = 0
    failed: list[str] = field(default_factory=list)
    wrong: int = 0
    largest_difference: float = 0.0


def make_requests(session: Session, photos: Array, generator: random.Random) -> list[Request]:
    """Requests of mixed batch sizes and classes, with the session's answers."""
    requests = []
    for number in range(REQUESTS):
        batch = 1 + number % LARGEST_BATCH
        x = photos[[generator.randrange(len(photos)) for _ in range(batch)]]
        target = np.array([generator.choice([-1, generator.randrange(CLASSES)]) for _ in range(batch)], np.int64)
        outputs = session.run({"x": x, "target": target})
        requests.append(Request(x, target, {name: outputs[name] for name in OUTPUTS}))
    return requests


def run_client(server: Server, requests: Sequence[Request], seed: int, end: float) -> Tally:
    """Asks one request after the other until the time is up; where the connection breaks, asks again."""
    generator, tally = random.Random(seed), Tally()
    client = grpc.InferenceServerClient(server.grpc, channel_args=OWN_CONNECTION)
    while time.monotonic() < end:
        request = generator.choice(requests)
        inputs = as_inputs(grpc, request.x, request.target)
        start = time.perf_counter()
        answer = None
        for _ in range(TRIES):
            try:
                answer = client.infer(server.name, inputs, client_timeout=PATIENCE)
                break
            except InferenceServerException as error:
                if error.status() != "StatusCode.UNAVAILABLE":
                    tally.failed.append(str(error))
                    break
                tally.broken += 1
                time.sleep(PAUSE)
        else:
            tally.failed.append("the server stayed away")
        if answer is None:
            continue
        tally.seconds.append(time.perf_counter() - start)
        tally.samples += len(request.x)
        _compare(answer, request, tally)
    client.close()
    return tally


def _compare(answer: grpc.InferResult, request: Request, tally: Tally) -> None:
    for name, expected in request.expected.items():
        value = answer.as_numpy(name)
        if value is None or value.shape != expected.shape:
            tally.wrong += 1
            return
        difference = float(np.abs(value - expected).max() / np.abs(expected).max())
        tally.largest_difference = max(tally.largest_difference, difference)
        if not np.array_equal(value, expected):
            tally.wrong += 1
            return


def run_session(session: Session, requests: Sequence[Request], threads: int, seconds: float) -> tuple[float, float]:
    """Median seconds of a call, and samples per second, of the session alone in ``threads`` threads."""
    end = time.monotonic() + seconds

    def work(seed: int) -> tuple[list[float], int]:
        generator, spans, samples = random.Random(seed), [], 0
        while time.monotonic() < end:
            request = generator.choice(requests)
            start = time.perf_counter()
            session.run({"x": request.x, "target": request.target})
            spans.append(time.perf_counter() - start)
            samples += len(request.x)
        return spans, samples

    start = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        results = list(pool.map(work, range(threads)))
    elapsed = time.perf_counter() - start
    return float(np.median(np.concatenate([spans for spans, _ in results]))), sum(n for _, n in results) / elapsed


class Watch(threading.Thread):
    """Records the memory of the server's processes, and kills one worker midway."""

    def __init__(self, server: Server, seconds: float) -> None:
        super().__init__(daemon=True)
        self.megabytes: list[tuple[float, float]] = []
        self.killed = 0
        self._parent = psutil.Process(server.pid)
        self._start, self._seconds = time.monotonic(), seconds

    def run(self) -> None:
        """Until the load is over."""
        while (now := time.monotonic() - self._start) < self._seconds:
            workers = find_workers(self._parent.pid)
            if now > self._seconds / 2 and not self.killed:
                self.killed = workers[0].pid
                workers[0].send_signal(signal.SIGKILL)
            total = sum(map(_resident, [self._parent, *workers]))
            self.megabytes.append((now, total / 1e6))
            time.sleep(2)


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def report(options: argparse.Namespace, tallies: list[Tally], watch: Watch, session: list[tuple[float, float]]) -> None:
    """Writes the report."""
    seconds = np.concatenate([tally.seconds for tally in tallies])
    rate = sum(tally.samples for tally in tallies) / options.seconds
    session_median, session_rate = (float(np.mean(values)) for values in zip(*session, strict=True))
    settled = [value for now, value in watch.megabytes if now > SETTLED * options.seconds]
    quarter = len(settled) // 4
    early, late = np.median(settled[:quarter]), np.median(settled[-quarter:])
    failures = [reason for tally in tallies for reason in tally.failed]
    slower = np.median(seconds) / session_median
    rows = [
        ["requests answered", f"{len(seconds)} ({sum(tally.samples for tally in tallies)} samples)"],
        ["failed or lost", f"{len(failures)}{''.join(f'; {reason}' for reason in failures[:3])}"],
        ["wrong", str(sum(tally.wrong for tally in tallies))],
        ["largest difference from the session, relative", f"{max(tally.largest_difference for tally in tallies):.1e}"],
        ["connections that broke when the worker was killed", str(sum(tally.broken for tally in tallies))],
        ["samples per second", f"{rate:.1f}, {rate / session_rate:.2f} of the session's {session_rate:.1f}"],
        ["latency, median", f"{1e3 * np.median(seconds):.0f} ms, {slower:.1f}× the session's"],
        ["latency, p99 and longest", f"{1e3 * np.percentile(seconds, 99):.0f} ms and {1e3 * seconds.max():.0f} ms"],
        ["memory after the warm-up, first and last quarter", f"{early:.0f} MB and {late:.0f} MB"],
    ]
    chosen = f"--seconds {options.seconds:.0f} --clients {options.clients} --workers {options.workers}"
    stated = facts(f"benchmarks.serving.load {chosen}", PACKAGES)
    stated["load"] = f"""{options.clients} clients over gRPC for {options.seconds:.0f} s, EfficientNet-Lite0 on raw
  photos, batches of 1 to {LARGEST_BATCH}, given and predicted classes mixed; {options.workers} workers of one thread,
  on the machine of the clients; one killed (SIGKILL) after {options.seconds / 2:.0f} s"""
    note = f"""\
The session: alone, in {options.workers} threads, before and after. {options.clients} clients wait for {options.workers}
workers, so a latency of {options.clients / options.workers:.0f}× is what the queue alone makes."""
    publish("serving_load", "A server under load", stated, f"{markdown_table(HEADER, rows, numbers=False)}\n\n{note}")


def main(arguments: list[str] | None = None) -> int:
    """Runs the load and writes the report; returns the exit status, 1 where an answer failed, was lost or wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving.load", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(arguments)
    if options.workers < 2:
        parser.error("one worker is killed: give 2 or more")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path, photos = compile_lite0(folder, raw=True)
        session = fgcompile.load(path, threads=1)
        requests = make_requests(session, photos, random.Random(0))
        alone = [run_session(session, requests, options.workers, SESSION_SHARE * options.seconds)]
        arguments = ["--workers", str(options.workers), "--threads", "1"]
        with serving(path, folder / "log", *arguments) as server, ThreadPoolExecutor(options.clients) as pool:
            watch, end = Watch(server, options.seconds), time.monotonic() + options.seconds
            watch.start()
            clients = [pool.submit(run_client, server, requests, seed, end) for seed in range(options.clients)]
            tallies = [client.result() for client in clients]
            watch.join()
        alone.append(run_session(session, requests, options.workers, SESSION_SHARE * options.seconds))
    report(options, tallies, watch, alone)
    return int(any(tally.failed or tally.wrong for tally in tallies))


if __name__ == "__main__":
    sys.exit(main())
