"""Every name of KServe's SDK (0.21) that it does not document: its listeners, which take no host, and raw tensors.

The SDK listens on all interfaces and limits gRPC messages to 8 MiB. Its two servers are made for a host and a limit by
what is private of them, and here alone.
"""

from __future__ import annotations

import asyncio
from typing import Any

from grpc import aio
from kserve import InferInput, Model, ModelServer
from kserve.constants.constants import INFERENCE_CONTENT_LENGTH_HEADER
from kserve.logging import logger
from kserve.model_server import app
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import add_GRPCInferenceServiceServicer_to_server
from kserve.protocol.grpc.interceptors import ExceptionToStatusInterceptor, LoggingInterceptor
from kserve.protocol.grpc.server import GRPCServer
from kserve.protocol.grpc.servicer import InferenceServicer
from kserve.protocol.infer_type import RequestedOutput
from kserve.protocol.rest.server import RESTServer
from kserve.utils.numpy_codec import from_np_dtype, to_np_dtype
from kserve.utils.utils import generate_uuid

from fgcompile.serving.address import Address, listen

__all__ = [
    "INFERENCE_CONTENT_LENGTH_HEADER",
    "DataPlane",
    "GrpcServer",
    "RequestedOutput",
    "RestServer",
    "Server",
    "app",
    "from_np_dtype",
    "generate_uuid",
    "raw_bytes",
    "set_raw_bytes",
    "to_np_dtype",
]

_APP = "kserve.model_server:app"
_THREADS = 4
_CONNECTION_AGE = 30_000
"""Milliseconds after which clients are asked to connect anew, by and by to a worker that replaced another too."""


def raw_bytes(tensor: InferInput) -> bytes | None:
    """The bytes of a tensor that was sent as such; None where it came as numbers."""
    raw: bytes | None = tensor._raw_data
    return raw


def set_raw_bytes(tensor: InferInput, raw: bytes) -> None:
    """Makes a tensor one that was sent as bytes; the public way makes a list of numbers on the way."""
    tensor._raw_data = raw


class Server(ModelServer):  # type: ignore[misc]  # kserve has no types
    """The SDK's server, its two listeners made for a host.

    Args:
        address: Where to listen.
        message: Bytes that a gRPC message may have.
        shared: Whether other processes listen on the same ports.
        decoder: The class that decodes requests, given ``model_registry``.
    """

    def __init__(self, address: Address, message: int, shared: bool, decoder: type[DataPlane]) -> None:
        super().__init__(http_port=address.port, grpc_port=address.grpc_port, workers=1, max_threads=_THREADS)
        self._host = address.host
        self._shared = shared
        self._message = message
        self.dataplane = decoder(model_registry=self.registered_models)

    def start(self, models: list[Model]) -> None:
        """As the SDK's, but for the host and the length of messages."""
        self._register_and_check_atleast_one_model_is_ready(models)
        extension = self.model_repository_extension
        self._rest_server = RestServer(_APP, self.dataplane, extension, self.http_port, grace_period=self.grace_period)
        self._rest_server.listen_on(self._host, self._shared)
        options = {"max_send_message_length": -1, "max_receive_message_length": self._message}
        options["so_reuseport"] = int(self._shared)
        if self._shared:
            options["max_connection_age_ms"] = _CONNECTION_AGE
        self._grpc_server = GrpcServer(self._host, self.grpc_port, self.dataplane, extension, options)
        self.servers += [self._rest_server.start(), self._grpc_server.start(self.max_threads)]
        self.register_signal_handler()
        logger.info("Serving on %s, ports %s and %s", self._host, self.http_port, self.grpc_port)
        asyncio.run(self._serve())


class RestServer(RESTServer):  # type: ignore[misc]
    """The SDK's REST server on one host, and on a port that other processes may share."""

    def listen_on(self, host: str, shared: bool) -> None:
        """Listens, before anything is answered."""
        self._socket = listen(host, self.config.port, shared=shared, backlog=self.config.backlog)

    async def start(self) -> None:
        """As the SDK's, but for the socket."""
        self.create_application()
        await self._server.serve(sockets=[self._socket])


class GrpcServer(GRPCServer):  # type: ignore[misc]
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
