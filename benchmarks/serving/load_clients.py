"""Clients that know whether a request of theirs was accepted before it was lost."""

from __future__ import annotations

from abc import ABC, abstractmethod
from http.client import HTTPConnection, HTTPException

import tritonclient.grpc as grpc
import tritonclient.http as http
from tritonclient.utils import InferenceServerException

from benchmarks.serving.served import Server, as_inputs
from fgcompile.artifact.validation import Array

OUTPUTS = ("logits", "saliency")
OWN_CONNECTION = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
"""gRPC lets the channels of a process share one connection, which is one worker's; other processes have their own."""

OWN_CONNECTION += [("grpc.max_reconnect_backoff_ms", 500), ("grpc.initial_reconnect_backoff_ms", 200)]
PATIENCE = 60.0
"""Seconds after which a client gives a request up as lost."""

LENGTH = "Inference-Header-Content-Length"


class AwayError(Exception):
    """Nobody accepts connections."""


class LostError(Exception):
    """The connection was there, and no answer came."""


class Client(ABC):
    """One client, with a connection of its own."""

    @abstractmethod
    def ask(self, x: Array, target: Array) -> dict[str, Array]:
        """The outputs for photos.

        Raises:
            AwayError: The request was not accepted.
            LostError: It was, and not answered.
        """


class GrpcClient(Client):
    """One that speaks gRPC."""

    def __init__(self, server: Server) -> None:
        self._name = server.name
        self._client = grpc.InferenceServerClient(server.grpc, channel_args=OWN_CONNECTION)

    def ask(self, x: Array, target: Array) -> dict[str, Array]:
        """As ``Client``'s."""
        try:
            answer = self._client.infer(self._name, as_inputs(grpc, x, target), client_timeout=PATIENCE)
        except InferenceServerException as error:
            # What gRPC says where no connection could be made; it has no code of its own for that.
            if "failed to connect" in str(error.message()).lower() or "refused" in str(error.message()).lower():
                raise AwayError(str(error)) from error
            raise LostError(f"gRPC: {error}") from error
        return {name: answer.as_numpy(name) for name in OUTPUTS}


class RestClient(Client):
    """One that speaks REST over a connection that it keeps, until the server says that it closes."""

    def __init__(self, server: Server) -> None:
        self._path = f"/v2/models/{server.name}/infer"
        host, _, port = server.rest.partition(":")
        self._connection = HTTPConnection(host, int(port), timeout=PATIENCE)

    def ask(self, x: Array, target: Array) -> dict[str, Array]:
        """As ``Client``'s."""
        body, length = http.InferenceServerClient.generate_request_body(as_inputs(http, x, target))
        if self._connection.sock is None:
            try:
                self._connection.connect()
            except OSError as error:
                raise AwayError(str(error)) from error
        try:
            headers = {LENGTH: str(length)} if length else {}
            self._connection.request("POST", self._path, body, headers)
            answer = self._connection.getresponse()
            content = answer.read()
        except (OSError, HTTPException) as error:
            self._connection.close()
            raise LostError(f"REST: {error!r}") from error
        if answer.status != 200:
            raise LostError(f"REST: {answer.status} {content[:200]!r}")
        size = answer.headers.get(LENGTH)
        result = http.InferenceServerClient.parse_response_body(content, header_length=int(size) if size else None)
        return {name: result.as_numpy(name) for name in OUTPUTS}
