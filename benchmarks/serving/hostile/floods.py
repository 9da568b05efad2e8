"""Clients that send without end what costs much to parse, or little to send."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import count

from benchmarks.serving.hostile.over_grpc import PREFACE, frame, headers
from benchmarks.serving.hostile.over_rest import INFER, head

Place = tuple[str, int]
CLIENTS = 8
SECONDS = 2.0
_START = PREFACE + frame(4, 0, 0)


@dataclass(frozen=True)
class Flood:
    """What a client sends.

    Attributes:
        first: At the beginning of a connection.
        more: Again and again.
        grpc: Whether to gRPC.
    """

    first: bytes
    more: bytes
    grpc: bool = False

    def parts(self) -> Iterator[bytes]:
        """What is sent on a connection, without end."""
        yield self.first
        while True:
            yield self.more


class _Resets(Flood):
    """Calls that are taken back at once, each with a number of its own."""

    def parts(self) -> Iterator[bytes]:
        yield self.first
        for stream in count(1, 2):
            yield headers(stream) + frame(3, 0, stream, bytes(4))


FLOODS: dict[str, Flood] = {
    "a body in chunks of a byte": Flood(head("POST", INFER, {"Transfer-Encoding": "chunked"}), b"1\r\n \r\n" * 20_000),
    "requests behind requests": Flood(b"", head("GET", "/v2/health/live", {}) * 500),
    "a thousand headers each": Flood(b"", b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a:\r\n" * 1900 + b"\r\n"),
    "headers without end": Flood(b"GET / HTTP/1.1\r\n", b"a:\r\n" * 10_000),
    "connections, one a request": Flood(b"", b"GET / HTTP/1.1\r\nConnection: close\r\nHost: a\r\n\r\n"),
    "gRPC, pings": Flood(_START, frame(6, 0, 0, bytes(8)) * 500, grpc=True),
    "gRPC, settings": Flood(_START, frame(4, 0, 0, struct.pack(">HI", 3, 5)) * 500, grpc=True),
    "gRPC, calls that are taken back": _Resets(_START, b"", grpc=True),
    "gRPC, empty data": Flood(_START + headers(1), frame(0, 0, 1) * 1000, grpc=True),
}
"""The floods, by their names."""


def flood(kind: Flood, rest: Place, grpc: Place) -> float:
    """Eight such clients for two seconds; returns the megabytes that they got rid of."""
    place, end = grpc if kind.grpc else rest, time.monotonic() + SECONDS

    def send() -> int:
        sent = 0
        while time.monotonic() < end:
            with suppress(OSError), socket.create_connection(place, timeout=1) as connection:
                for part in kind.parts():
                    connection.sendall(part)
                    sent += len(part)
                    if time.monotonic() > end:
                        break
        return sent

    with ThreadPoolExecutor(CLIENTS) as pool:
        return sum(future.result() for future in [pool.submit(send) for _ in range(CLIENTS)]) / 1e6
