"""Accepts the connections of REST, and lets them go."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import Any

from fgcompile.serving.access import Access
from fgcompile.serving.engine.engine import Engine
from fgcompile.serving.rest.app import make_app
from fgcompile.serving.rest.connections import HEAD, Connection, Connections, Watched
from fgcompile.serving.rest.uvicorn_internals import HttpProtocols

_LINGER = 2.0
"""Seconds in which a client that is told to go may send one request more, which may be on its way already."""

_TICK = 0.25
_PAUSE = 0.05


class RestListener:
    """Listens from ``start`` to ``stop``.

    Args:
        engine: What answers.
        access: What a client needs.
        listening: The socket, on which other processes may listen too.
        tls: Its certificate, where there is one.
    """

    def __init__(self, engine: Engine, access: Access, listening: socket.socket, tls: ssl.SSLContext | None) -> None:
        limits = engine.limits
        self._socket, self._tls, self._patience = listening, tls, limits.patience
        self._connections = Connections(limits.connections, limits.patience, limits.idle)
        app = Watched(make_app(engine, access), self._connections, lambda: engine.draining)
        self._protocols = HttpProtocols(app, HEAD, limits.idle)
        self._opening: dict[asyncio.Task[Any], None] = {}  # in their order
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begins to accept."""
        self._socket.setblocking(False)
        self._tasks = [asyncio.create_task(self._accept()), asyncio.create_task(self._check())]

    async def stop(self, grace: float) -> None:
        """Accepts no more, lets clients go, and returns when they have, or were made to after ``grace`` seconds."""
        self._tasks[0].cancel()
        await asyncio.wait(self._tasks[:1])
        self._accept_pending()
        self._socket.close()
        self._connections.hurry(_LINGER)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                while self._opening or len(self._connections) or self._protocols.working:
                    await asyncio.sleep(_PAUSE)
        self._connections.abort()
        self._tasks[1].cancel()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._socket)
            except OSError:  # it went before it was accepted, or there are no more descriptors
                await asyncio.sleep(_PAUSE)
                continue
            self._open(connection)
            await asyncio.sleep(0)  # so that those before it are there to be counted

    def _accept_pending(self) -> None:
        """Those whose connections the kernel has made already."""
        with contextlib.suppress(OSError):
            while True:
                self._open(self._socket.accept()[0])

    def _open(self, connection: socket.socket) -> None:
        if not self._connections.make_room(len(self._opening)):
            if not self._opening:
                connection.close()
                return
            next(iter(self._opening)).cancel()  # the first of those that have not shaken hands
        connection.setblocking(False)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # What the kernel has still to send to a client that reads nothing goes with it, closed or not.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(2000 * self._patience))
        task = asyncio.ensure_future(self._connect(connection))
        self._opening[task] = None
        task.add_done_callback(lambda opened: self._opening.pop(opened, None))

    async def _connect(self, connection: socket.socket) -> None:
        def protocol() -> Connection:
            return Connection(self._protocols.make(), self._connections)

        timeouts = (
            {"ssl_handshake_timeout": self._patience, "ssl_shutdown_timeout": self._patience} if self._tls else {}
        )
        with contextlib.suppress(OSError):  # a client that goes, or fails, while it shakes hands
            loop = asyncio.get_running_loop()
            await loop.connect_accepted_socket(protocol, connection, ssl=self._tls, **timeouts)

    async def _check(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            self._connections.check()
