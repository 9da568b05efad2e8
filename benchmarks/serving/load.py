"""Ten minutes of many clients, whose server is stopped and killed meanwhile: what is lost, wrong, and what it costs.

    python -m benchmarks.serving.load [--seconds 600] [--clients 8] [--workers 2]

Needs the extras ``cpu``, ``demo`` and ``serve`` and the group ``test``; writes ``results/serving_load.md``. Clients
send photos in batches of one to four, each with its own class to explain, half over gRPC and half over REST; every
answer is compared with the session's. One worker is told to stop (SIGTERM), later one is killed (SIGKILL), later the
whole server is told to stop, and started again. The session is measured alone, before and after, in as many threads as
the server has workers.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

import fgcompile
from benchmarks.harness.environment import facts, markdown_table, publish
from benchmarks.harness.processes import free_port
from benchmarks.serving.load_clients import AwayError, Client, GrpcClient, LostError, RestClient
from benchmarks.serving.served import PACKAGES, Server, compile_lite0, find_workers, serving
from fgcompile.artifact.validation import Array
from fgcompile.runtime import Session

OUTPUTS = ("logits", "saliency")
HEADER = ["what", "seen"]
CLASSES = 1000
REQUESTS = 24
LARGEST_BATCH = 4
TRIES = 300
PAUSE = 0.2
"""Seconds until a client tries again where nobody listens."""

SESSION_SHARE = 0.05
"""The seconds of the session alone, before and after, relative to those of the load."""

SETTLED = 0.1
"""The share of the load after which memory has to be flat."""

TOLD, KILLED, STOPPED = 0.2, 0.4, 0.6
"""When a worker is told to stop, one is killed, and the server is told to stop, as shares of the load."""

AFTER_KILL = 5.0
"""Seconds after a kill in which connections may break."""


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
    away: int = 0
    lost: list[tuple[float, str]] = field(default_factory=list)
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


def run_client(client: Client, requests: Sequence[Request], seed: int, end: float) -> Tally:
    """Asks one request after the other until the time is up; what is not accepted, or is lost, is asked again."""
    generator, tally = random.Random(seed), Tally()
    while time.monotonic() < end:
        request = generator.choice(requests)
        start = time.perf_counter()
        for _ in range(TRIES):
            try:
                outputs = client.ask(request.x, request.target)
                break
            except AwayError:
                tally.away += 1
                time.sleep(PAUSE)
            except LostError as error:
                tally.lost.append((time.monotonic(), str(error)))
        else:
            tally.lost.append((time.monotonic(), "the server stayed away"))
            continue
        tally.seconds.append(time.perf_counter() - start)
        tally.samples += len(request.x)
        _compare(outputs, request, tally)
    return tally


def _compare(outputs: dict[str, Array], request: Request, tally: Tally) -> None:
    for name, expected in request.expected.items():
        value = outputs.get(name)
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


class Watch:
    """The memory of the server's processes, and when what was done to it.

    Attributes:
        megabytes: Seconds since the beginning, and megabytes.
        killed: When a worker was killed.
        stopping: Seconds that the server took to stop.
    """

    def __init__(self) -> None:
        self.megabytes: list[tuple[float, float]] = []
        self.killed = 0.0
        self.stopping = 0.0
        self._start = time.monotonic()

    @contextmanager
    def recording(self, server: Server) -> Iterator[None]:
        """Records the memory of a server for as long as the context is open."""
        done = threading.Event()
        thread = threading.Thread(target=self._record, args=(server.pid, done))
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _record(self, pid: int, done: threading.Event) -> None:
        while not done.wait(2):
            total = sum(map(_resident, [psutil.Process(pid), *find_workers(pid)]))
            self.megabytes.append((time.monotonic() - self._start, total / 1e6))


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def report(options: argparse.Namespace, tallies: list[Tally], watch: Watch, session: list[tuple[float, float]]) -> int:
    """Writes the report; returns how many answers were lost or wrong."""
    broken, lost = [], []
    for when, reason in (each for tally in tallies for each in tally.lost):
        (broken if 0 <= when - watch.killed < AFTER_KILL else lost).append(reason)
    wrong = sum(tally.wrong for tally in tallies)
    answered = sum(len(tally.seconds) for tally in tallies)
    rows = [
        ["requests answered", f"{answered} ({sum(tally.samples for tally in tallies)} samples)"],
        ["accepted and lost", f"{len(lost)}{''.join(f'; {reason}' for reason in lost[:3])}"],
        ["wrong", str(wrong)],
        ["largest difference from the session, relative", f"{max(tally.largest_difference for tally in tallies):.1e}"],
        ["connections that broke when a worker was killed (SIGKILL)", str(len(broken))],
        ["tries while nobody listened, the server being stopped", str(sum(tally.away for tally in tallies))],
        ["seconds until the server had stopped", f"{watch.stopping:.1f}"],
        *_cost(options.seconds, tallies, watch, session),
    ]
    note = f"""\
The session: alone, in {options.workers} threads, before and after. {options.clients} clients wait for {options.workers}
workers, so a latency of {options.clients / options.workers:.0f}× is what the queue alone makes. A request is accepted
where the connection that it is sent on was made; the longest latencies are those of clients that waited for the server
to be started again."""
    body = f"{markdown_table(HEADER, rows, numbers=False)}\n\n{note}"
    publish("serving_load", "A server under load", _facts(options), body)
    return len(lost) + wrong


def _facts(options: argparse.Namespace) -> dict[str, str]:
    chosen = f"--seconds {options.seconds:.0f} --clients {options.clients} --workers {options.workers}"
    stated = facts(f"benchmarks.serving.load {chosen}", PACKAGES)
    told, killed, stopped = (f"{share * options.seconds:.0f} s" for share in (TOLD, KILLED, STOPPED))
    stated["load"] = f"""{options.clients} clients, half over gRPC and half over REST, for {options.seconds:.0f} s,
  EfficientNet-Lite0 on raw photos, batches of 1 to {LARGEST_BATCH}, given and predicted classes mixed;
  {options.workers} workers of one thread, on the machine of the clients; a worker told to stop (SIGTERM) after {told},
  one killed (SIGKILL) after {killed}, the server told to stop after {stopped}, and started again"""
    return stated


def _cost(
    duration: float, tallies: list[Tally], watch: Watch, session: list[tuple[float, float]]
) -> Iterator[list[str]]:
    """Rows of rate, latency and memory."""
    seconds = np.concatenate([tally.seconds for tally in tallies])
    rate = sum(tally.samples for tally in tallies) / duration
    session_median, session_rate = (float(np.mean(values)) for values in zip(*session, strict=True))
    slower = np.median(seconds) / session_median
    settled = [value for now, value in watch.megabytes if now > SETTLED * duration]
    quarter = max(1, len(settled) // 4)
    early, late = np.median(settled[:quarter]), np.median(settled[-quarter:])
    yield ["samples per second", f"{rate:.1f}, {rate / session_rate:.2f} of the session's {session_rate:.1f}"]
    yield ["latency, median", f"{1e3 * np.median(seconds):.0f} ms, {slower:.1f}× the session's"]
    longest = f"{1e3 * np.percentile(seconds, 99):.0f} ms and {1e3 * seconds.max():.0f} ms"
    yield ["latency, p99 and longest", longest]
    yield ["memory after the warm-up, first and last quarter", f"{early:.0f} MB and {late:.0f} MB"]


def load(path: Path, log: Path, requests: Sequence[Request], options: argparse.Namespace) -> tuple[list[Tally], Watch]:
    """The load, and what is done to the server meanwhile."""
    ports, arguments = (free_port(), free_port()), ["--workers", str(options.workers), "--threads", "1"]
    watch, start = Watch(), time.monotonic()
    end = start + options.seconds

    def wait(share: float) -> None:
        time.sleep(max(0.0, start + share * options.seconds - time.monotonic()))

    with ThreadPoolExecutor(options.clients) as pool:
        with serving(path, log.with_suffix(".1"), *arguments, ports=ports) as server, watch.recording(server):
            clients: list[Future[Tally]] = []
            for seed in range(options.clients):
                client = (GrpcClient if seed % 2 else RestClient)(server)
                clients.append(pool.submit(run_client, client, requests, seed, end))
            wait(TOLD)
            find_workers(server.pid)[0].send_signal(signal.SIGTERM)
            wait(KILLED)
            watch.killed = time.monotonic()
            find_workers(server.pid)[0].send_signal(signal.SIGKILL)
            wait(STOPPED)
            stopping = time.monotonic()
        watch.stopping = time.monotonic() - stopping
        with serving(path, log.with_suffix(".2"), *arguments, ports=ports) as server, watch.recording(server):
            return [client.result() for client in clients], watch


def main(arguments: list[str] | None = None) -> int:
    """Runs the load and writes the report; returns the exit status, 1 where an answer was lost or wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving.load", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(arguments)
    if options.workers < 2:
        parser.error("workers are stopped and killed: give 2 or more")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path, photos = compile_lite0(folder, raw=True)
        session = fgcompile.load(path, threads=1)
        requests = make_requests(session, photos, random.Random(0))
        alone = [run_session(session, requests, options.workers, SESSION_SHARE * options.seconds)]
        tallies, watch = load(path, folder / "log", requests, options)
        alone.append(run_session(session, requests, options.workers, SESSION_SHARE * options.seconds))
    return int(report(options, tallies, watch, alone) > 0)


if __name__ == "__main__":
    sys.exit(main())
