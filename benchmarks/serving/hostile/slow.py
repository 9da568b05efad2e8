"""Clients that begin and do not go on: how long the server bears each."""

from __future__ import annotations

import select
import socket
import struct
import time
from dataclasses import dataclass

from benchmarks.serving.hostile.over_grpc import PREFACE, frame, headers
from benchmarks.serving.hostile.over_rest import INFER, head

Place = tuple[str, int]
ANNOUNCED = 64 << 20
_PIECE = bytes(1 << 20)


@dataclass(frozen=True)
class Kind:
    """How a client is slow.

    Attributes:
        first: What it sends at once.
        drip: What it sends now and then.
        grpc: Whether to gRPC.
        reads: Whether it reads.
        count: How many of it there are.
    """

    first: bytes
    drip: bytes = b""
    grpc: bool = False
    reads: bool = True
    count: int = 24


_LIVE = head("GET", "/v2/health/live", {})
_LARGE = head("POST", INFER, {"Content-Length": str(ANNOUNCED)})
_CALL = PREFACE + frame(4, 0, 0) + headers(1)
KINDS = {
    "sends nothing": Kind(b""),
    "sends nothing, more than may connect": Kind(b"", count=600),
    "a head, a byte at a time": Kind(b"GET / HTTP/1.1\r\n", b"X"),
    "half a head": Kind(b"POST /v2"),
    "idle behind an answer": Kind(_LIVE),
    "a body of 64 MiB announced, none sent": Kind(_LARGE),
    "a body of 64 MiB, half of it sent": Kind(_LARGE + _PIECE * 32),
    "a body, ten bytes at a time": Kind(_LARGE, b"0123456789"),
    "reads no answers": Kind(head("GET", "/metrics", {}) * 6000, reads=False),
    "gRPC, sends nothing": Kind(b"", grpc=True),
    "gRPC, sends nothing, more than may connect": Kind(b"", grpc=True, count=600),
    "gRPC, idle behind the preface": Kind(PREFACE + frame(4, 0, 0), grpc=True),
    "gRPC, a message of 64 MiB announced": Kind(
        _CALL + frame(0, 0, 1, b"\x00" + struct.pack(">I", ANNOUNCED)), grpc=True
    ),
}
"""The slow ones."""

PAUSE = 0.1


def bear(kind: Kind, rest: Place, grpc: Place, longest: float) -> list[float]:
    """Seconds until the server closes such a client's connection, or ends its call, for each; ``longest`` if never."""
    clients = [_Client(kind, grpc if kind.grpc else rest) for _ in range(kind.count)]
    start = time.monotonic()
    while time.monotonic() - start < longest and any(client.closed is None for client in clients):
        for client in clients:
            client.go_on()
        time.sleep(PAUSE)
    for client in clients:
        client.socket.close()
    return [longest if client.closed is None else client.closed for client in clients]


class _Client:
    def __init__(self, kind: Kind, place: Place) -> None:
        self.socket = socket.socket()
        if not kind.reads:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(place)
        self.socket.setblocking(False)
        self._kind, self._left, self._start = kind, memoryview(kind.first), time.monotonic()
        self._dripped = self._start
        self.closed: float | None = None

    def go_on(self) -> None:
        """Sends what there is to send, and finds out whether the server has closed."""
        if self.closed is not None:
            return
        try:
            self._send()
            if self._kind.reads and self._ended(self._read()):
                self.closed = time.monotonic() - self._start
        except OSError:
            self.closed = time.monotonic() - self._start

    def _send(self) -> None:
        now = time.monotonic()
        if not self._left and self._kind.drip and now - self._dripped > 1:
            self._left, self._dripped = memoryview(self._kind.drip), now
        while self._left:
            try:
                self._left = self._left[self.socket.send(self._left) :]
            except BlockingIOError:
                break
        poll = select.poll()
        poll.register(self.socket, 0)
        if poll.poll(0):  # hung up, or reset
            raise OSError

    def _read(self) -> bytes | None:
        """What came; None for nothing yet."""
        try:
            return self.socket.recv(1 << 16)
        except BlockingIOError:
            return None

    def _ended(self, received: bytes | None) -> bool:
        # A call that gRPC ends leaves the connection, whose next frame is that of trailers.
        over = self._kind.grpc and bool(self._kind.first[len(PREFACE) + 9 :]) and b"grpc-status" in (received or b"")
        return received == b"" or over
