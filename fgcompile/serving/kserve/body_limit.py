"""An ASGI middleware that refuses request bodies above a limit."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fgcompile.errors import InputError
from fgcompile.serving.admission import Limits, check_body

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

_TOO_LARGE = 413
_PATIENCE = 4
"""How many times the limit is read, and dropped, of a body that exceeds it."""


class BodyLimit:
    """Answers 413 with a reason where a body is too large, be it announced or not; reads the others before passing on.

    Args:
        app: The application behind it, which would read the body as a whole too.
        limits: What is allowed.
    """

    def __init__(self, app: App, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body, size = await self._read(receive)
        try:
            check_body(size, self._limits)
        except InputError as error:
            await _refuse(send, str(error))
            return
        pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return pending.pop() if pending else await receive()

        await self._app(scope, replay, send)

    async def _read(self, receive: Receive) -> tuple[bytes, int]:
        """A request's body as far as it is allowed, and its size.

        What exceeds the limit is dropped, but read, since many a client listens only then; a body without end is cut
        off.
        """
        kept, size, more = bytearray(), 0, True
        # The size is counted, not believed: a body may announce none, or a smaller one. ``size`` above the limit is the
        # answer whether or not the rest was read.
        while more and size <= _PATIENCE * self._limits.body:
            message = await receive()
            chunk = message.get("body", b"")
            size += len(chunk)
            if size <= self._limits.body:
                kept += chunk
            more = message["type"] == "http.request" and message.get("more_body", False)
        return bytes(kept), size


async def _refuse(send: Send, reason: str) -> None:
    body = json.dumps({"error": reason}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": _TOO_LARGE, "headers": headers})
    await send({"type": "http.response.body", "body": body})
