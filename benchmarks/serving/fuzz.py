"""Ten thousand requests that nobody should send, over REST, gRPC and bare sockets, and clients that begin and wait.

    python -m benchmarks.serving.fuzz [--requests 10000] [--seed 0]

Needs the extras ``compile``, ``cpu`` and ``serve`` and the group ``test``; writes ``results/serving_fuzz.md``. Between
the others go requests that are to be answered, and their answers are compared with the session's.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import socket
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import orjson

import fgcompile
from benchmarks.harness.environment import facts, markdown_table, publish
from benchmarks.serving.hostile import over_grpc, over_rest, slow
from benchmarks.serving.hostile.floods import FLOODS, flood
from benchmarks.serving.hostile.subject import Asked, ask, compile_subject
from benchmarks.serving.hostile.watch import Seen, watching
from benchmarks.serving.served import PACKAGES, Server, serving
from fgcompile.artifact.validation import Array
from fgcompile.serving.rpc.messages import METHODS

PATIENCE, IDLE = 3.0, 6.0
MEMORY = 512
OPTIONS = ("--patience", str(PATIENCE), "--idle", str(IDLE), "--max-memory", str(MEMORY), "--threads", "1")
LIVE = 0.1
"""Seconds in which the server has to say that it lives."""

SLACK = 160.0
"""Megabytes that a process may take beside its requests, over what it had: copies of the library for HTTP, answers."""

_UNANSWERED = {
    "random bytes",
    "odd headers",
    "odd request lines",
    "odd chunks",
    "wrong lengths",
    "cut off, then closed",
}
"""Kinds after which a server may well wait for more, so that nobody waits for it."""

_BAD_CODES = {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL}
_UNPRINTABLE = re.compile(r"[^\x20-\x7e\n\u00a1-\U000fffff]|\ufffd")
Outcomes = dict[str, Counter[str]]


class Attack:
    """Sends what is drawn to a server, and counts what comes of it."""

    def __init__(self, server: Server, artifact: Path, seed: int) -> None:
        host, _, port = server.rest.partition(":")
        self.rest, self.grpc = (host, int(port)), (host, int(server.grpc.rpartition(":")[2]))
        self.outcomes: Outcomes = defaultdict(Counter)
        self.faults: list[str] = []
        self._generator = random.Random(seed)
        self._session = fgcompile.load(artifact)
        options = [("grpc.max_send_message_length", -1), ("grpc.max_metadata_size", 1 << 20)]
        self._channel = grpc.insecure_channel(server.grpc, options)
        self._method = self._channel.unary_unary(f"{over_grpc.SERVICE}/ModelInfer")

    def send(self, count: int) -> None:
        """Sends so many requests, a tenth of which are right."""
        ways = [self._rest] * 8 + [self._call] * 6 + [self._odd_call, self._frames]
        for _ in range(count):
            asked = ask(self._session, self._generator)
            if self._generator.random() < 0.1:
                self._require_answer(asked)
            else:
                self._generator.choice(ways)(asked)

    def _require_answer(self, asked: Asked) -> None:
        if self._generator.random() < 0.5:
            answer = self._exchange(over_rest.valid(asked, self._generator), 30.0)
            logits = _rest_logits(answer)
        else:
            content = over_grpc.message(asked, self._generator).SerializeToString()
            try:
                logits = _grpc_logits(self._method(content, timeout=30, wait_for_ready=True))
            except grpc.RpcError as error:
                logits = self.faults.append(f"a right call: {error.code()} {error.details()}")
        right = logits is not None and np.array_equal(logits, asked.logits)
        self.outcomes["right ones"]["answered, right" if right else "wrong"] += 1
        if not right:
            self.faults.append("a right request was not answered rightly")

    def _rest(self, asked: Asked) -> None:
        kind = self._generator.choice(list(over_rest.KINDS))
        request = over_rest.KINDS[kind](asked, self._generator)
        answer = self._exchange(request, 0.05 if kind in _UNANSWERED else 30.0, cut=kind.startswith("cut"))
        statuses = re.findall(rb"HTTP/1\.[01] ([2-9]\d{2})", answer)
        self.outcomes[f"REST: {kind}"][f"{statuses[0].decode()[0]}xx" if statuses else "none, or closed"] += 1
        if any(status.startswith(b"5") for status in statuses):
            self.faults.append(f"{kind}: {answer[:200]!r} to {request[:300]!r}")
        if not statuses and kind not in _UNANSWERED:
            self.faults.append(f"{kind}: no answer to {request[:300]!r}")

    def _exchange(self, request: bytes, patience: float, cut: bool = False) -> bytes:
        """What comes back until the first answer is whole, the server closes, or nothing comes for a while."""
        answer = b""
        with suppress(OSError), socket.create_connection(self.rest, timeout=30) as connection:
            with suppress(OSError):  # the server may answer, and close, before all is sent
                connection.sendall(request)
            if cut:
                return b""
            connection.settimeout(patience)
            while not _is_whole(answer) and (received := connection.recv(1 << 20)):
                answer += received
        return answer

    def _call(self, asked: Asked) -> None:
        kind = self._generator.choice(list(over_grpc.MESSAGES))
        content = over_grpc.MESSAGES[kind](asked, self._generator)
        compression = grpc.Compression.Gzip if self._generator.random() < 0.05 else None
        self._record(kind, lambda: self._method(content, timeout=30, compression=compression))

    def _odd_call(self, asked: Asked) -> None:
        name = self._generator.choice([*METHODS, "Nothing", "ModelInfer/x", "é"])
        method = self._channel.unary_unary(f"{over_grpc.SERVICE}/{name}")
        content = self._generator.choice([b"", b"\x0a\x07subject", b"\x0a\x01\xff", self._generator.randbytes(9)])
        metadata = [("x-a", "b" * self._generator.choice([1, 3000, 100_000]))]
        if self._generator.random() < 0.3:
            future = method.future(content, metadata=metadata)
            self.outcomes["gRPC: calls cancelled"]["cancelled" if future.cancel() else "ended"] += 1
        else:
            self._record("other methods, metadata", lambda: method(content, metadata=metadata, timeout=30))

    def _record(self, kind: str, call: Any) -> None:
        try:
            call()
            outcome = "OK"
        except grpc.RpcError as error:
            outcome = error.code().name
            if error.code() in _BAD_CODES:
                self.faults.append(f"{kind}: {error.code()} {error.details()}")
        self.outcomes[f"gRPC: {kind}"][outcome] += 1

    def _frames(self, asked: Asked) -> None:
        with suppress(OSError), socket.create_connection(self.grpc, timeout=1) as connection:
            connection.sendall(self._generator.choice(over_grpc.FRAMES)(self._generator))
            connection.settimeout(0.05)
            connection.recv(1 << 16)
        self.outcomes["gRPC: frames of HTTP/2"]["sent"] += 1


def _is_whole(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    return bool(length) and len(body) >= int(length[1])


def _rest_logits(answer: bytes) -> Array | None:
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 200 " not in head[:20]:
        return None
    outputs = orjson.loads(body)["outputs"]
    (output,) = [output for output in outputs if output["name"] == "logits"]
    return np.array(output["data"], np.float32).reshape(output["shape"])


def _grpc_logits(content: bytes) -> Array | None:
    response: Any = METHODS["ModelInfer"][1].FromString(content)
    for output, raw in zip(response.outputs, response.raw_output_contents, strict=True):
        if output.name == "logits":
            return np.frombuffer(raw, np.float32).reshape(output.shape)
    return None


def bear_slow_ones(attack: Attack, seen: Seen) -> list[list[str]]:
    """A row for each kind of slow clients; adds the faults of those that are borne too long, or cost too much."""
    rows = []
    for name, kind in slow.KINDS.items():
        before = seen.megabytes[-1]
        first = len(seen.megabytes)
        seconds = slow.bear(kind, attack.rest, attack.grpc, longest=10 * PATIENCE)
        grown = max(seen.megabytes[first:], default=before) - before
        # Each may wait for memory first. gRPC tells of whole messages only: these have three times as long; what REST
        # refuses for a lack of memory may be followed by another request.
        due = PATIENCE + (3 * PATIENCE if kind.grpc else PATIENCE + IDLE) + 1.5
        rows.append([name, str(kind.count), f"{max(seconds):.1f} s", f"{due:.1f} s", f"{grown:.0f} MB"])
        if max(seconds) > due or grown > MEMORY * 1.05 + SLACK:
            attack.faults.append(f"slow clients: {name}: {max(seconds):.1f} s, {grown:.0f} MB")
    return rows


Span = tuple[str, float, float, float]


def _flooded(spans: list[Span], seen: Seen) -> Iterator[list[str]]:
    for name, start, end, sent in spans:
        live = 1e3 * seen.between(start, end)
        yield [name, f"{sent:.0f} MB", f"{np.median(live):.0f} ms", f"{live.max(initial=0):.0f} ms"]


def bear_floods(attack: Attack) -> list[Span]:
    """The name of each flood, when it began and ended, and the megabytes that were sent."""
    spans = []
    for name, kind in FLOODS.items():
        start = time.time()
        sent = flood(kind, attack.rest, attack.grpc)
        spans.append((name, start, time.time(), sent))
        time.sleep(1)
        attack.send(20)  # and it answers as before
    return spans


def report(options: argparse.Namespace, attack: Attack, seen: Seen, tables: list[str], log: str) -> None:
    """Writes the report."""
    rows = [
        [kind, str(sum(counts.values())), ", ".join(f"{what} {count}" for what, count in counts.most_common())]
        for kind, counts in sorted(attack.outcomes.items())
    ]
    liveness = [
        [
            *(name, str(len(values))),
            *(f"{1e3 * np.percentile(values, q):.1f} ms" for q in (50, 99.9, 100)),
            str(int((values > LIVE).sum())),
        ]
        for name, values in (("the server", seen.live), ("a process that does nothing", seen.control))
    ]
    parts = [
        markdown_table(["what was sent", "requests", "what came back"], rows, numbers=False),
        *tables,
        markdown_table(
            ["who was asked whether it lives", "times", "median", "p99.9", "longest", "above 100 ms"], liveness
        ),
        f"""- 5xx, UNKNOWN, INTERNAL, wrong answers, clients borne too long: {len(attack.faults)}
- tracebacks in the log: {log.count("Traceback")}; characters that cannot be printed: {len(_UNPRINTABLE.findall(log))}
- memory: {seen.megabytes[0]:.0f} MB at first, {max(seen.megabytes):.0f} MB at most; requests may have {MEMORY} MiB""",
    ]
    stated = facts(f"benchmarks.serving.fuzz --requests {options.requests} --seed {options.seed}", PACKAGES)
    stated["load of the machine"] = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    stated["server"] = f"`fgcompile serve {' '.join(OPTIONS)}`, one process, on the machine of the clients"
    publish("serving_fuzz", "A server under attack", stated, "\n\n".join(parts))


def main(arguments: list[str] | None = None) -> int:
    """Attacks a server and writes the report; returns the exit status, 1 where it did not hold."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving.fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        artifact = compile_subject(folder)
        with serving(artifact, folder / "log", *OPTIONS) as server:
            attack = Attack(server, artifact, options.seed)
            with watching(server.pid, attack.rest) as seen:
                attack.send(options.requests)
                time.sleep(1)
                slow_rows = bear_slow_ones(attack, seen)
                spans = bear_floods(attack)
        log = (folder / "log").read_text(errors="replace")
    slow_table = markdown_table(["slow clients", "of them", "closed after, at most", "due", "memory"], slow_rows)
    header = ["floods, of eight clients", "sent in 2 s", "liveness, median", "longest"]
    report(options, attack, seen, [slow_table, markdown_table(header, _flooded(spans, seen))], log)
    for fault in attack.faults[:20]:
        print(fault)
    if (place := log.find("Traceback")) >= 0:
        print(log[max(0, place - 500) : place + 3000])
    return int(bool(attack.faults) or "Traceback" in log or bool(np.isinf(seen.live).any()))


if __name__ == "__main__":
    sys.exit(main())
