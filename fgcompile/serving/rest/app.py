"""REST's routes: the Open Inference Protocol, version 2, what is left of version 1, and metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import orjson
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from fgcompile.errors import InputError
from fgcompile.serving.access import Access
from fgcompile.serving.engine.engine import Engine, refuse
from fgcompile.serving.engine.metrics import NO_MODEL, REFUSED, exposition
from fgcompile.serving.protocol.description import describe_server
from fgcompile.serving.protocol.rest_answer import Answer, encode
from fgcompile.serving.protocol.rest_request import HEADER, decode
from fgcompile.serving.refusals import (
    NO_TOKEN,
    NOT_READY,
    TOO_BUSY,
    TOO_SLOW,
    UNKNOWN_MODEL,
    Kind,
    RefusalError,
    printable,
)
from fgcompile.serving.rest.body import reading

_PART = 1 << 17
_OPEN = {"/", "/v2/health/live", "/v2/health/ready"}
"""What probes ask, without a token."""

_VERSION_1 = "the request is not one of the Open Inference Protocol, version 2: use /v2/models"

Send = Callable[[Any], Awaitable[None]]
Handler = Callable[[Engine, Request, Send], Awaitable[Any]]
"""What answers a request: with JSON, or with a response; None where it has answered already."""


async def _root(engine: Engine, request: Request, send: Send) -> Any:
    return {"status": "alive"}


async def _live(engine: Engine, request: Request, send: Send) -> Any:
    return {"live": True}


async def _ready(engine: Engine, request: Request, send: Send) -> Any:
    if not engine.ready:
        raise RefusalError(NOT_READY, "the server is not ready: a model is missing, or it is about to stop")
    return {"ready": True}


async def _metrics(engine: Engine, request: Request, send: Send) -> Any:
    return Response(await engine.work(1 << 20, exposition), media_type=CONTENT_TYPE_LATEST)


async def _server(engine: Engine, request: Request, send: Send) -> Any:
    return describe_server(engine.control)


async def _models(engine: Engine, request: Request, send: Send) -> Any:
    return {"models": list(engine.models)}


async def _model(engine: Engine, request: Request, send: Send) -> Any:
    model = engine.find(request.path_params["model"])
    return {"name": model.name, "versions": None, "platform": "", **model.describe()}


async def _model_ready(engine: Engine, request: Request, send: Send) -> Any:
    model = engine.find(request.path_params["model"])
    if not model.ready:
        raise RefusalError(NOT_READY, f"model {model.name!r} is not ready")
    return {"name": model.name, "ready": True}


async def _version(engine: Engine, request: Request, send: Send) -> Any:
    engine.find(request.path_params["model"])
    raise RefusalError(UNKNOWN_MODEL, "models have no versions here: leave /versions/… out")


async def _version_1(engine: Engine, request: Request, send: Send) -> Any:
    raise InputError(_VERSION_1)


async def _switch(engine: Engine, request: Request, send: Send, verb: str) -> Any:
    name = request.path_params["model"]
    await engine.switch(name, verb == "load")
    return {"name": name, verb: True}


async def _infer(engine: Engine, request: Request, send: Send) -> None:
    name, header = request.path_params["model"], request.headers.get(HEADER)
    engine.find(name)
    async with reading(request, engine.budget, engine.limits) as (body, share):
        work = engine.infer(
            name,
            len(body),
            lambda: decode(body, header, engine.limits.elements),
            lambda asked, outputs: encode(asked, name, outputs),
        )
        answer = await _unless_gone(request, work)
        # It may be larger than what was asked, and a client may take its time to read it.
        share.resize(share.size + answer.size)
        await _send(answer, send)


async def _unless_gone(request: Request, work: Awaitable[Answer]) -> Answer:
    """What ``work`` returns; it is dropped where the client goes before."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        gone.cancel()


async def _send(answer: Answer, send: Send) -> None:
    headers = {"content-type": "application/json", "content-length": str(answer.size)}
    if answer.json_size is not None:
        headers |= {"content-type": "application/octet-stream", HEADER.lower(): str(answer.json_size)}
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": 200, "headers": encoded})
    for part in answer.parts:
        for start in range(0, len(part), _PART):
            await send({"type": "http.response.body", "body": bytes(part[start : start + _PART]), "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


class _Endpoint:
    """An ASGI application of one route."""

    def __init__(self, engine: Engine, access: Access, handler: Handler) -> None:
        self._engine, self._access, self._handler = engine, access, handler

    async def __call__(self, scope: Any, receive: Any, send: Send) -> None:
        request = Request(scope, receive)
        try:
            if scope["path"] not in _OPEN and not self._admits(request):
                raise RefusalError(NO_TOKEN, "the request has no valid token: send Authorization: Bearer TOKEN")
            answered = await self._handler(self._engine, request, send)
        except ClientDisconnect:
            return
        except Exception as error:
            answered = _refusal(*refuse(error, request.path_params.get("model"), self._engine.models))
        if answered is None:
            return
        response = answered if isinstance(answered, Response) else _as_json(answered)
        await response(scope, receive, send)

    def _admits(self, request: Request) -> bool:
        given = request.headers.get("authorization")
        return self._access.admits(given.encode("latin-1") if given is not None else None)


def _as_json(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")


def _refusal(kind: Kind, reason: str) -> Response:
    response = _as_json({"error": reason}, kind.http)
    if kind is TOO_BUSY:
        response.headers["retry-after"] = "1"
    if kind is TOO_SLOW:
        response.headers["connection"] = "close"
    if kind is NO_TOKEN:
        response.headers["www-authenticate"] = "Bearer"
    return response


async def _not_routed(request: Request, error: Exception) -> Response:
    """What is answered where there is no such route, or not by that method."""
    assert isinstance(error, HTTPException)
    REFUSED.labels(NO_MODEL).inc()
    reason = f"{request.method} {request.url.path}: {error.detail}"
    response = _as_json({"error": printable(reason)}, error.status_code)
    response.headers.update(error.headers or {})
    return response


_ROUTES: list[tuple[str, str, Handler]] = [
    ("GET", "/", _root),
    ("GET", "/metrics", _metrics),
    ("GET", "/v2", _server),
    ("GET", "/v2/health/live", _live),
    ("GET", "/v2/health/ready", _ready),
    ("GET", "/v2/models", _models),
    ("GET", "/v2/models/{model}", _model),
    ("GET", "/v2/models/{model}/ready", _model_ready),
    ("POST", "/v2/models/{model}/infer", _infer),
    ("GET", "/v2/models/{model}/versions/{version}", _version),
    ("GET", "/v2/models/{model}/versions/{version}/ready", _version),
    ("POST", "/v2/models/{model}/versions/{version}/infer", _version),
    ("POST", "/v2/repository/models/{model}/load", partial(_switch, verb="load")),
    ("POST", "/v2/repository/models/{model}/unload", partial(_switch, verb="unload")),
    ("GET", "/v1/models", _models),
    ("POST", "/v1/models/{model}:predict", _version_1),
    ("POST", "/v1/models/{model}:explain", _version_1),
    ("GET", "/v1/models/{model}", _model_ready),
]


def make_app(engine: Engine, access: Access) -> Starlette:
    """The application of REST."""
    routes = [Route(path, _Endpoint(engine, access, handler), methods=[verb]) for verb, path, handler in _ROUTES]
    return Starlette(routes=routes, exception_handlers={HTTPException: _not_routed})
