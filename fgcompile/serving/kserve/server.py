"""``kserve.ModelServer`` on a host of one's choice, refusing what is too large or cannot be read.

The SDK (0.21) listens on all interfaces, answers a request that it cannot decode with a server error, and limits gRPC
messages to 8 MiB and bodies of REST not at all.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from grpc import aio
from kserve import ModelServer
from kserve.constants.constants import INFERENCE_CONTENT_LENGTH_HEADER
from kserve.errors import InvalidInput
from kserve.logging import logger
from kserve.model_server import app
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import add_GRPCInferenceServiceServicer_to_server
from kserve.protocol.grpc.interceptors import ExceptionToStatusInterceptor, LoggingInterceptor
from kserve.protocol.grpc.server import GRPCServer
from kserve.protocol.grpc.servicer import InferenceServicer
from kserve.protocol.infer_type import InferRequest
from kserve.protocol.rest.server import RESTServer
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from fgcompile.serving.address import Address, listen
from fgcompile.serving.admission import Limits
from fgcompile.serving.kserve.binary_request import decode
from fgcompile.serving.kserve.body_limit import BodyLimit
from fgcompile.serving.kserve.model import ArtifactModel

_APP = "kserve.model_server:app"
_THREADS = 4
_ENVELOPE = 1 << 16
"""Bytes that a gRPC message may have beside its tensors."""

_CONNECTION_AGE = 30_000
"""Milliseconds after which clients are asked to connect anew, by and by to a worker that replaced another too."""


def run(models: list[ArtifactModel], address: Address, limits: Limits, shared: bool) -> None:
    """Serves the models until a signal stops the process, on ports that other processes share if ``shared``."""
    app.add_middleware(BodyLimit, limits=limits)
    app.add_exception_handler(RequestValidationError, _refuse)
    if shared:
        app.add_api_route("/metrics", _collect_metrics, methods=["GET"])  # before the SDK's, of this process alone
    _Server(address, limits, shared).start(models)


async def _collect_metrics() -> Response:
    """The metrics of all processes together."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


async def _refuse(_: Any, error: Exception) -> JSONResponse:
    """Says where a body departs from the protocol; FastAPI's own answer quotes it, and stumbles over infinity."""
    assert isinstance(error, RequestValidationError)
    faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()[:3])
    reason = f"the request is not of the Open Inference Protocol, version 2 ({'; '.join(faults)})"
    return JSONResponse({"error": reason}, HTTPStatus.BAD_REQUEST)


class _DataPlane(DataPlane):  # type: ignore[misc]  # kserve has no types
    """Decodes tensors without lists, and refuses bodies of REST that the SDK stumbles over."""

    def decode_inference_request(self, body: Any, headers: dict[str, str], model_name: str) -> InferRequest:
        """The request in a body, JSON or JSON with tensors behind it."""
        try:
            # The header tells a body of JSON and bytes from one of JSON alone, which is left to the SDK.
            header = headers.get(INFERENCE_CONTENT_LENGTH_HEADER)
            if isinstance(body, bytes) and header is not None:
                return decode(body, int(header), model_name)
            return super().decode_inference_request(body, headers, model_name)
        except InvalidInput:
            raise
        except KeyError as error:
            raise InvalidInput(f"the request lacks {error}: see the Open Inference Protocol, version 2") from error
        except Exception as error:  # whatever the decoder stumbles over is a fault of the request
            raise InvalidInput(f"the request cannot be read ({error}): see the Open Inference Protocol") from error


class _Server(ModelServer):  # type: ignore[misc]
    """The SDK's server, its two listeners made for a host."""

    def __init__(self, address: Address, limits: Limits, shared: bool) -> None:
        super().__init__(http_port=address.port, grpc_port=address.grpc_port, workers=1, max_threads=_THREADS)
        self._host = address.host
        self._shared = shared
        self._message = limits.body + _ENVELOPE
        self.dataplane = _DataPlane(model_registry=self.registered_models)

    def start(self, models: list[ArtifactModel]) -> None:
        """As the SDK's, but for the host and the length of messages."""
        self._register_and_check_atleast_one_model_is_ready(models)
        extension = self.model_repository_extension
        self._rest_server = _RestServer(_APP, self.dataplane, extension, self.http_port, grace_period=self.grace_period)
        self._rest_server.listen_on(self._host, self._shared)
        options = {"max_send_message_length": -1, "max_receive_message_length": self._message}
        options["so_reuseport"] = int(self._shared)
        if self._shared:
            options["max_connection_age_ms"] = _CONNECTION_AGE
        self._grpc_server = _GrpcServer(self._host, self.grpc_port, self.dataplane, extension, options)
        self.servers += [self._rest_server.start(), self._grpc_server.start(self.max_threads)]
        self.register_signal_handler()
        logger.info("Serving on %s, ports %s and %s", self._host, self.http_port, self.grpc_port)
        asyncio.run(self._serve())


class _RestServer(RESTServer):  # type: ignore[misc]
    """The SDK's REST server on one host, and on a port that other processes may share."""

    def listen_on(self, host: str, shared: bool) -> None:
        """Listens, before anything is answered."""
        self._socket = listen(host, self.config.port, shared=shared, backlog=self.config.backlog)

    async def start(self) -> None:
        """As the SDK's, but for the socket."""
        self.create_application()
        await self._server.serve(sockets=[self._socket])


class _GrpcServer(GRPCServer):  # type: ignore[misc]
    """The SDK's gRPC server on one host."""

    def __init__(self, host: str, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._host = host

    async def start(self, max_workers: int) -> None:
        """As the SDK's, but for the address. ``max_workers`` is for handlers that are not coroutines; all are."""
        options = [(f"grpc.{name}", value) for name, value in self._kwargs.items()]
        self._server = aio.server(interceptors=(LoggingInterceptor(), ExceptionToStatusInterceptor()), options=options)
        servicer = InferenceServicer(self._data_plane, self._model_repository_extension)
        add_GRPCInferenceServiceServicer_to_server(servicer, self._server)
        self._server.add_insecure_port(f"{f'[{self._host}]' if ':' in self._host else self._host}:{self._port}")
        await self._server.start()
        await self._server.wait_for_termination()
