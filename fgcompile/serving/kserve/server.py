"""``kserve.ModelServer`` on a host of one's choice, refusing what is too large or cannot be read.

The SDK (0.21) listens on all interfaces, answers a request that it cannot decode with a server error, and limits gRPC
messages to 8 MiB and bodies of REST not at all.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from kserve import InferRequest
from kserve.errors import InvalidInput
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from fgcompile.serving.address import Address
from fgcompile.serving.admission import Limits
from fgcompile.serving.kserve.binary_request import decode
from fgcompile.serving.kserve.body_limit import BodyLimit
from fgcompile.serving.kserve.model import ArtifactModel
from fgcompile.serving.kserve.sdk_internals import INFERENCE_CONTENT_LENGTH_HEADER, DataPlane, Server, app

_ENVELOPE = 1 << 16
"""Bytes that a gRPC message may have beside its tensors."""


def run(models: list[ArtifactModel], address: Address, limits: Limits, shared: bool) -> None:
    """Serves the models until a signal stops the process, on ports that other processes share if ``shared``."""
    app.add_middleware(BodyLimit, limits=limits)
    app.add_exception_handler(RequestValidationError, _refuse)
    if shared:
        app.add_api_route("/metrics", _collect_metrics, methods=["GET"])  # before the SDK's, of this process alone
    Server(address, limits.body + _ENVELOPE, shared, _DataPlane).start(models)


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
