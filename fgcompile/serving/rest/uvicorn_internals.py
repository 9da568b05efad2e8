"""What is used of uvicorn (0.54) beyond its documentation: its HTTP/1.1 protocol for one connection, by itself.

Its ``Server`` has no bound on the time that a client takes to send a head, closes connections that clients are about to
use, and takes signals for itself. Listening is ours, the protocol is uvicorn's.
"""

from __future__ import annotations

import asyncio
from typing import Any

import uvicorn
from uvicorn.server import ServerState


class HttpProtocols:
    """Makes the protocol of each connection.

    Args:
        app: The ASGI application.
        head: Bytes that the head of a request may have.
        idle: Seconds that a connection may be without a request.
    """

    def __init__(self, app: Any, head: int, idle: float) -> None:
        self._config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=int(idle) + 1,
            h11_max_incomplete_event_size=head,
        )
        self._config.load()
        self._state = ServerState()

    def make(self) -> asyncio.Protocol:
        """The protocol of a new connection."""
        protocol: asyncio.Protocol = self._config.http_protocol_class(  # type: ignore[call-arg]
            config=self._config, server_state=self._state, app_state={}
        )
        return protocol

    @property
    def working(self) -> int:
        """How many requests are being answered."""
        return len(self._state.tasks)
