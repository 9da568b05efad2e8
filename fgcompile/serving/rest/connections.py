"""The connections of clients, each with a time by which it has to do something.

A client that sends no head, or half of one, keeps nothing but a socket, and not for long. Where there are too many, the
one that has been without a request for longest goes.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from fgcompile.serving.engine.metrics import NO_MODEL, REFUSED
from fgcompile.serving.rest.turns import BLOCK, COSTLY, Turns

HEAD = 1 << 13
"""Bytes that a request's line and headers may have."""

_PIECE = 1 << 12
"""Bytes of a head that are parsed at once."""

_RATE = 1 << 10
"""Bytes a second that a client has to read of an answer."""

_TIMEOUT = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"

Peer = tuple[str, int]


class Connection(asyncio.BufferedProtocol):
    """One connection: passes what it receives on to a protocol for HTTP, and knows what it waits for.

    Args:
        inner: The protocol.
        connections: All of them.
    """

    def __init__(self, inner: asyncio.Protocol, connections: Connections) -> None:
        self._inner = inner
        self._all = connections
        self._transport: Any = None
        self._pending = b""
        self._paused = False
        self._whole = False
        self._requests = 0
        self._received = False
        self._sent = 0
        self._timed_out = False
        self.peer: Peer | None = None
        self.since = time.monotonic()
        self._drained = (0, self.since)
        self.spent = 0.0
        self.piece = _PIECE
        self.deadline = self.since + connections.patience

    def connection_made(self, transport: Any) -> None:
        """Begins."""
        self._transport = transport
        address = transport.get_extra_info("peername")
        self.peer = (str(address[0]), int(address[1])) if address else None
        self._all.add(self)
        self._inner.connection_made(_Flow(transport, self))  # type: ignore[arg-type]

    def connection_lost(self, exc: Exception | None) -> None:
        """Ends."""
        self._pending = b""
        self._all.discard(self)
        self._inner.connection_lost(exc)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where what comes is put; it is taken from there at once, so all connections have the same."""
        return self._all.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Keeps what has come until it is its turn, and listens to nothing more before."""
        if not self._requests and not self._received:
            self._received, self.since = True, time.monotonic()
            self.deadline = self.since + self._all.patience
        self._pending += self._all.buffer[:nbytes]
        self._transport.pause_reading()
        self._all.turns.ask(self)

    @property
    def ready(self) -> bool:
        """Whether there is something that the protocol can use: not what follows a request that it works at."""
        busy = self._paused or (self._requests and self._whole)
        return bool(self._pending) and not busy and not self._transport.is_closing()

    def take_turn(self) -> None:
        """Passes on a piece of what has come; those of a head are small, since its bound holds between pieces."""
        size = self.piece if self._requests else min(self.piece, _PIECE)
        piece, self._pending = self._pending[:size], self._pending[size:]
        self._inner.data_received(piece)
        if self._transport.is_closing():
            if not self._requests and not self._timed_out:
                REFUSED.labels(NO_MODEL).inc()  # it was no HTTP
        elif not self._pending:
            self._transport.resume_reading()

    def pause(self, paused: bool) -> None:
        """The protocol has enough for now, or wants more."""
        self._paused = paused
        self._all.turns.ask(self)

    def eof_received(self) -> None:
        """Passes it on."""
        self._inner.eof_received()

    def pause_writing(self) -> None:
        """Passes it on."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Passes it on."""
        self._inner.resume_writing()

    @property
    def idle(self) -> bool:
        """Whether no request is being answered."""
        return not self._requests

    def begin(self) -> None:
        """A request's head has come."""
        self._requests += 1
        self._whole = False

    def complete(self) -> None:
        """A request has come as a whole."""
        self._whole = True

    def finish(self) -> None:
        """A request was answered; the next may take its time."""
        self._requests -= 1
        if self.idle:
            self._received, self.since = False, time.monotonic()
            self.deadline = self.since + self._all.idle_for()
            if self._pending:
                # What waits behind a request costs little to parse and much to answer.
                self.piece = min(self.piece, COSTLY)
            self._all.turns.ask(self)

    def count(self, size: int) -> None:
        """Takes note of ``size`` bytes of an answer."""
        self._sent += size

    def hurry(self, seconds: float) -> None:
        """Leaves an idle client no more than so many seconds for its next request."""
        self.deadline = min(self.deadline, time.monotonic() + seconds)

    def check(self, now: float) -> None:
        """Closes the connection if its time is up, or nobody reads the answer."""
        self.spent /= 2
        pending = self._transport.get_write_buffer_size()
        read = self._sent - pending
        if not pending or read - self._drained[0] >= _RATE * self._all.patience:
            self._drained = (read, now)
        elif now - self._drained[1] > self._all.patience:
            self._transport.abort()
        if self.idle and now > self.deadline and not self._transport.is_closing():
            self._timed_out = True
            if self._received:
                REFUSED.labels(NO_MODEL).inc()
                self._transport.write(_TIMEOUT)
            self._transport.close()

    def abort(self) -> None:
        """Ends it at once."""
        self._transport.abort()


class _Flow:
    """A transport, as the protocol for HTTP sees it: it says when it has enough, and the connection heeds that."""

    def __init__(self, transport: Any, connection: Connection) -> None:
        self._transport, self._connection = transport, connection

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def pause_reading(self) -> None:
        """Has enough."""
        self._connection.pause(True)

    def resume_reading(self) -> None:
        """Wants more."""
        self._connection.pause(False)


class Connections:
    """All connections.

    Args:
        most: How many there may be.
        patience: Seconds to wait for a head, once a client has connected or begun to send one.
        idle: Seconds to wait for the next.
    """

    def __init__(self, most: int, patience: float, idle: float) -> None:
        self.patience = patience
        self.buffer = memoryview(bytearray(BLOCK))
        self.turns = Turns()
        self._idle = idle
        self._most = most
        self._by_peer: dict[Peer | None, Connection] = {}
        self._hurry: float | None = None

    def __len__(self) -> int:
        return len(self._by_peer)

    def idle_for(self) -> float:
        """Seconds that a client may be without a request."""
        return self._idle if self._hurry is None else self._hurry

    def make_room(self, opening: int) -> bool:
        """Whether one more may come, ``opening`` others being about to; ends the one that has been idle for longest."""
        if len(self) + opening < self._most:
            return True
        idle = [connection for connection in self._by_peer.values() if connection.idle]
        if not idle:
            return False
        oldest = min(idle, key=lambda connection: connection.since)
        self.discard(oldest)
        oldest.abort()
        return True

    def add(self, connection: Connection) -> None:
        """Takes note of one."""
        self._by_peer[connection.peer] = connection

    def discard(self, connection: Connection) -> None:
        """Forgets one."""
        if self._by_peer.get(connection.peer) is connection:
            del self._by_peer[connection.peer]

    def of(self, peer: Peer | None) -> Connection | None:
        """The connection of a client."""
        return self._by_peer.get(peer)

    def hurry(self, seconds: float) -> None:
        """Leaves idle clients so many seconds from now on."""
        self._hurry = seconds
        for connection in list(self._by_peer.values()):
            if connection.idle:
                connection.hurry(seconds)

    def check(self) -> None:
        """Closes those whose time is up."""
        now = time.monotonic()
        for connection in list(self._by_peer.values()):
            connection.check(now)

    def abort(self) -> None:
        """Ends all."""
        for connection in list(self._by_peer.values()):
            connection.abort()


Scope = dict[str, Any]
Send = Callable[[Any], Any]


class Watched:
    """An ASGI middleware that tells connections of their requests, and clients to go, once the server is to stop.

    Args:
        app: The application.
        connections: All of them.
        leaving: Whether clients are to go.
    """

    def __init__(self, app: Any, connections: Connections, leaving: Callable[[], bool]) -> None:
        self._app, self._connections, self._leaving = app, connections, leaving

    async def __call__(self, scope: Scope, receive: Any, send: Send) -> None:
        """One request."""
        connection = self._connections.of(scope.get("client"))
        if connection is None:
            await self._app(scope, receive, send)
            return

        # What says twice where its body ends may be two requests to whoever passed it on: RFC 9112, 6.1.
        names = {name for name, _ in scope.get("headers", ())}
        ambiguous = {b"content-length", b"transfer-encoding"} <= names

        async def counted(message: Any) -> None:
            connection.count(len(message.get("body", b"")))
            if message["type"] == "http.response.start" and (ambiguous or self._leaving()):
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await send(message)

        async def watched() -> Any:
            message = await receive()
            if not message.get("more_body", False):
                connection.complete()
            return message

        connection.begin()
        try:
            await self._app(scope, watched, counted)
        finally:
            connection.finish()
