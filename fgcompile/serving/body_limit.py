"""An ASGI middleware that refuses request bodies above a limit, before and while they are read."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fgcompile.errors import InputError
from fgcompile.serving.requests import Limits, check_body

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

_TOO_LARGE = 413
_PATIENCE = 4
"""How many times the limit is read, and dropped, of a body that exceeds it."""


class _TooLargeError(Exception):
    """Raised inside the application, which is reading a body that exceeds the limit."""


class BodyLimit:
    """Answers 413 with a reason where a body is too large, be it announced or not.

    Args:
        app: The application behind it.
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
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        reason = self._reason(int(announced) if announced.isdigit() else 0)
        if reason is not None:
            await self._refuse(receive, send, reason)
            return
        received, begun = 0, False

        async def limited() -> Message:
            nonlocal received, reason
            message = await receive()
            received += len(message.get("body", b""))
            reason = self._reason(received)
            if reason is not None:
                raise _TooLargeError
            return message

        async def watched(message: Message) -> None:
            nonlocal begun
            if reason is None:
                begun = True
                await send(message)

        try:
            await self._app(scope, limited, watched)
        except Exception:
            if reason is None:
                raise
        if reason is not None and not begun:
            await self._refuse(receive, send, reason)

    def _reason(self, size: int) -> str | None:
        try:
            check_body(size, self._limits)
        except InputError as error:
            return str(error)
        return None

    async def _refuse(self, receive: Receive, send: Send, reason: str) -> None:
        """Answers once the body is over, since many a client listens only then; a body without end is cut off."""
        dropped, more = 0, True
        while more and dropped < _PATIENCE * self._limits.body:
            message = await receive()
            dropped += len(message.get("body", b""))
            more = message["type"] == "http.request" and message.get("more_body", False)
        body = json.dumps({"error": reason}).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": _TOO_LARGE, "headers": headers})
        await send({"type": "http.response.body", "body": body})
