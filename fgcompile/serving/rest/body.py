"""A request's body, read in time and within its share of memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any

from starlette.requests import ClientDisconnect, Request

from fgcompile.errors import InputError
from fgcompile.serving.admission import Limits, check_body
from fgcompile.serving.engine.budget import Budget, Share
from fgcompile.serving.protocol.rest_request import HEADER
from fgcompile.serving.refusals import TOO_LARGE, TOO_SLOW, RefusalError

GROWTH_OF_BYTES = 1
GROWTH_OF_JSON = 4
"""How many times its size the arrays of a body are at most: ``0,`` becomes eight bytes."""

_RATE = 1 << 14
"""Bytes a second that a client has to send on average."""

_DROPPED = 4
"""How many times the limit is read, and dropped, of a body that exceeds it."""


@asynccontextmanager
async def reading(request: Request, budget: Budget, limits: Limits) -> AsyncIterator[tuple[bytearray, Share]]:
    """A request's body, and its share of memory for as long as the context is open.

    Raises:
        ClientDisconnect: The client has gone.
        RefusalError: The body is too large, comes too slowly, or there is no memory for it.
    """
    announced = _announced(request)
    if announced is not None and announced > limits.body:
        # One that asks before it sends is told at once.
        asks = request.headers.get("expect", "").lower() == "100-continue"
        await _refuse(announced, None if asks else _chunks(request, limits), limits)
    expected = limits.body if announced is None else announced
    growth = GROWTH_OF_BYTES if HEADER in request.headers else GROWTH_OF_JSON
    async with budget.take(limits.memory_of(expected, growth), limits.patience) as share:
        body, chunks = bytearray(), _chunks(request, limits, share)
        async for chunk in chunks:
            size = len(body) + len(chunk)
            if size > limits.body:
                body.clear()
                await _refuse(size, chunks, limits)
            body += chunk
        share.resize(limits.memory_of(len(body), growth))
        yield body, share


def _announced(request: Request) -> int | None:
    """The length that the head announces; the protocol has checked that it is a number."""
    length = request.headers.get("content-length")
    return int(length) if length is not None else None


async def _chunks(request: Request, limits: Limits, share: Share | None = None) -> AsyncIterator[bytes]:
    start, size = time.monotonic(), 0
    while True:
        message = await _receive(request, limits, share)
        size += len(message.get("body", b""))
        late = time.monotonic() - start - limits.patience
        if late > 0 and size < late * _RATE:
            raise RefusalError(TOO_SLOW, f"the body comes at less than {_RATE} bytes a second: send it faster")
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return


async def _receive(request: Request, limits: Limits, share: Share | None) -> Any:
    """The next part of a body; others do not wait for it where it has no ``share`` of memory."""
    try:
        async with asyncio.timeout(limits.patience) as timeout:
            with share.waiting(timeout) if share else nullcontext():
                message = await request.receive()
    except TimeoutError as error:
        if share and share.displaced:
            raise RefusalError(TOO_SLOW, "others wait for the memory that the body keeps: send it faster") from error
        reason = f"no byte of the body came for {limits.patience:g} s: send it without pauses"
        raise RefusalError(TOO_SLOW, reason) from error
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message


async def _refuse(size: int, rest: AsyncIterator[bytes] | None, limits: Limits) -> None:
    """Refuses a body of ``size`` bytes; reads and drops the rest before, since many a client listens only then.

    Raises:
        RefusalError: Always.
    """
    dropped = 0
    if rest is not None:
        async for chunk in rest:
            dropped += len(chunk)
            if dropped > _DROPPED * limits.body:  # a body without end is cut off
                break
    try:
        check_body(size, limits)
    except InputError as error:
        raise RefusalError(TOO_LARGE, str(error)) from error
