"""The protocol's methods, each a coroutine from a message's bytes to those of its answer.

To gRPC they are streams, of one message each way, which is the same on the wire: so a message is read when there is
memory for it, and neither that nor the answer waits for a client without end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from grpc import aio

from fgcompile.errors import InputError
from fgcompile.serving.access import Access
from fgcompile.serving.engine.engine import Engine, refuse
from fgcompile.serving.protocol.description import describe_server
from fgcompile.serving.refusals import NO_TOKEN, TOO_SLOW, Kind, RefusalError
from fgcompile.serving.rpc.messages import METHODS, SERVICE
from fgcompile.serving.rpc.tensors import decode, encode, open_envelope, parse

ENVELOPE = 1 << 16
"""Bytes that a message may have beside its tensors."""

_OPEN = {"ServerLive", "ServerReady"}
"""What probes ask, without a token."""

_PATIENCES = 3
"""How many times as long as for the next bytes a whole message is waited for: gRPC does not tell of parts."""

_GROWTH = 8
"""How many times its size the arrays of a message are at most: a byte of contents may become a number of eight."""

Method = Callable[[bytes, "Call"], Awaitable[bytes]]


class Call:
    """What is known of a call: its model, once that was read."""

    model: str | None = None


class Service(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """Finds the method of a call.

    Args:
        engine: What answers.
        access: What a client needs.
    """

    def __init__(self, engine: Engine, access: Access) -> None:
        self._engine = engine
        self._access = access
        self._methods: dict[str, Method] = {
            name: self._infer if name == "ModelInfer" else self._bind(name) for name in METHODS
        }

    def service(self, handler_call_details: Any) -> Any:
        """The method's handler; None where there is no such method."""
        service, _, name = handler_call_details.method.lstrip("/").partition("/")
        if service != SERVICE or name not in self._methods:
            return None

        async def handle(_: Any, context: aio.ServicerContext) -> None:
            await self._handle(name, context)

        return grpc.stream_stream_rpc_method_handler(handle)

    async def _handle(self, name: str, context: Any) -> None:
        call = Call()
        try:
            self._check_token(name, context)
            await self._answer(name, context, call)
        except aio.BaseError:
            return  # the client has gone
        except Exception as error:
            if isinstance(error, TimeoutError):
                error = RefusalError(
                    TOO_SLOW, "the message, or the answer to it, took too long: send and read without pauses"
                )
            await _abort(context, *refuse(error, call.model, self._engine.models))

    async def _answer(self, name: str, context: Any, call: Call) -> None:
        """Reads the message, when there is memory for it, runs the method, and sends the answer."""
        limits = self._engine.limits
        largest = limits.memory_of(limits.body, _GROWTH)
        async with self._engine.budget.take(largest, limits.patience) as share:
            async with asyncio.timeout(_PATIENCES * limits.patience) as timeout:
                with share.waiting(timeout):
                    message = await context.read()
            if message is aio.EOF:
                raise InputError("the call has no message: send one")
            share.resize(limits.memory_of(len(message), _GROWTH))
            answer = await self._methods[name](message, call)
            share.resize(share.size + len(answer))
            async with asyncio.timeout(_PATIENCES * limits.patience):
                await context.write(answer)

    def _check_token(self, name: str, context: Any) -> None:
        if name in _OPEN:
            return
        given = dict(context.invocation_metadata() or ()).get("authorization")
        if not self._access.admits(given.encode() if isinstance(given, str) else given):
            raise RefusalError(NO_TOKEN, "the call has no valid token: send the metadata authorization: Bearer TOKEN")

    async def _infer(self, message: bytes, call: Call) -> bytes:
        envelope = await self._engine.work(len(message), lambda: open_envelope(message))
        name = call.model = str(envelope.parsed.model_name)
        return await self._engine.infer(
            name,
            len(message),
            lambda: decode(envelope, self._engine.limits.elements),
            lambda request, outputs: encode(request, name, outputs),
        )

    def _bind(self, name: str) -> Method:
        """A method whose messages are small."""

        async def answer(message: bytes, call: Call) -> bytes:
            if len(message) > ENVELOPE:
                raise InputError(f"the message has {len(message)} bytes, {ENVELOPE} are allowed: shorten it")
            request = parse(name, message)
            call.model = getattr(request, "name", None) or getattr(request, "model_name", None)
            fields = await _ANSWERS[name](self._engine, request)
            content: bytes = METHODS[name][1](**fields).SerializeToString()
            return content

        return answer


async def _abort(context: Any, kind: Kind, reason: str) -> None:
    try:
        await context.abort(grpc.StatusCode[kind.grpc], reason)
    except aio.AbortError:
        raise
    except aio.BaseError:
        return  # the client has gone


async def _live(engine: Engine, request: Any) -> dict[str, Any]:
    return {"live": True}


async def _ready(engine: Engine, request: Any) -> dict[str, Any]:
    return {"ready": engine.ready}


async def _server_metadata(engine: Engine, request: Any) -> dict[str, Any]:
    return describe_server(engine.control)


async def _model_ready(engine: Engine, request: Any) -> dict[str, Any]:
    return {"ready": engine.find(request.name).ready}


async def _model_metadata(engine: Engine, request: Any) -> dict[str, Any]:
    return {"name": request.name, **engine.find(request.name).describe()}


async def _load(engine: Engine, request: Any) -> dict[str, Any]:
    name = request.triton_model_name or request.model_name
    await engine.switch(name, True)
    return {"model_name": name, "isLoaded": True}


async def _unload(engine: Engine, request: Any) -> dict[str, Any]:
    name = request.triton_model_name or request.model_name
    await engine.switch(name, False)
    return {"model_name": name, "isUnloaded": True}


_ANSWERS: dict[str, Callable[[Engine, Any], Awaitable[dict[str, Any]]]] = {
    "ServerLive": _live,
    "ServerReady": _ready,
    "ServerMetadata": _server_metadata,
    "ModelReady": _model_ready,
    "ModelMetadata": _model_metadata,
    "RepositoryModelLoad": _load,
    "RepositoryModelUnload": _unload,
}
"""The fields of each answer."""
