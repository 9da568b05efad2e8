"""An artifact as a model of the KServe SDK: its server speaks the protocol, this checks each request and runs it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Any

import numpy as np
from kserve import InferInput, InferOutput, InferRequest, InferResponse, Model
from kserve.errors import InvalidInput
from kserve.utils.numpy_codec import from_np_dtype, to_np_dtype
from kserve.utils.utils import generate_uuid
from prometheus_client import Counter, Histogram

from fgcompile.artifact.metadata import TensorSpec
from fgcompile.artifact.validation import Array
from fgcompile.errors import InputError
from fgcompile.runtime.session import Session
from fgcompile.serving.admission import Limits, admit, find_repeated

_AXES = 32
"""More than any artifact takes, and fewer than NumPy allows."""

REFUSED = Counter("fgcompile_refused_requests", "Requests that were not answered, for a fault of theirs.", ["model"])
RESIDUAL = Histogram(
    "fgcompile_residual",
    "What the terms of an explanation miss its score by, relative to their magnitudes, per sample.",
    ["model"],
    buckets=[10.0**exponent for exponent in range(-8, 1)],
)


class ArtifactModel(Model):  # type: ignore[misc]  # kserve has no types
    """Answers requests with the outputs of an artifact.

    Args:
        name: What requests call it.
        session: The artifact, loaded.
        limits: What one request may ask for.
        executor: Its threads run the artifact: as many calls side by side as it has, and the others wait.
    """

    def __init__(self, name: str, session: Session, limits: Limits, executor: Executor) -> None:
        super().__init__(name)
        self._session = session
        self._limits = limits
        self._executor = executor
        self._outputs = [spec["name"] for spec in session.metadata["outputs"]]
        self.ready = True

    def get_input_types(self) -> list[dict[str, Any]]:
        """The artifact's inputs, as the protocol describes tensors."""
        return [_describe(spec) for spec in self._session.metadata["inputs"]]

    def get_output_types(self) -> list[dict[str, Any]]:
        """The artifact's outputs, as the protocol describes tensors."""
        return [_describe(spec) for spec in self._session.metadata["outputs"]]

    async def predict(
        self, payload: Any, headers: dict[str, str] | None = None, response_headers: dict[str, str] | None = None
    ) -> InferResponse:
        """Runs the artifact in a thread of the executor, so that the server goes on answering.

        Raises:
            InvalidInput: The request is not for this artifact; the message says what it takes.
        """
        try:
            feeds = self._read(payload)
        except InputError as error:
            REFUSED.labels(self.name).inc()
            raise InvalidInput(str(error)) from error
        outputs = await asyncio.get_running_loop().run_in_executor(self._executor, self._session.run, feeds)
        self._observe(outputs)
        return self._respond(payload, outputs)

    def _read(self, request: Any) -> dict[str, Array]:
        """What the artifact takes, from a request.

        Raises:
            InputError: Anything in it that the artifact does not take.
        """
        if not isinstance(request, InferRequest):
            raise InputError("the request is not one of the Open Inference Protocol, version 2: use /v2/models")
        names = [tensor.name for tensor in request.inputs]
        if twice := find_repeated(names):
            raise InputError(f"the request has {twice!r} more than once: send each input once")
        for output in request.request_outputs or ():
            if output.name not in self._outputs:
                raise InputError(
                    f"the artifact has no output {output.name!r}: ask for one of {', '.join(self._outputs)}"
                )
        tensors = {name: as_array(tensor) for name, tensor in zip(names, request.inputs, strict=True)}
        return admit(tensors, self._session.metadata, self._limits)

    def _observe(self, outputs: dict[str, Array]) -> None:
        """Records how far from complete the explanations are, where the artifact says so."""
        if {"residual", "contributions"} <= outputs.keys() and outputs["residual"].size:
            magnitudes = np.abs(outputs["contributions"]).sum(axis=1)
            for value in np.abs(outputs["residual"]) / np.maximum(magnitudes, np.finfo(np.float32).tiny):
                RESIDUAL.labels(self.name).observe(float(value))

    def _respond(self, request: InferRequest, outputs: dict[str, Array]) -> InferResponse:
        wanted = [output.name for output in request.request_outputs or ()] or self._outputs
        return InferResponse(
            response_id=request.id or generate_uuid(),
            model_name=self.name,
            infer_outputs=[_encode(name, outputs[name], request.from_grpc) for name in wanted],
            from_grpc=request.from_grpc,
            use_binary_outputs=request.use_binary_outputs,
            requested_outputs=request.request_outputs,
        )


def as_array(tensor: InferInput) -> Array:
    """A tensor of a request as an array, whatever its sender made of it.

    Raises:
        InputError: Its dtype is unknown, or its data and its shape do not fit each other.
    """
    name, shape, dtype = tensor.name, tensor.shape, to_np_dtype(tensor.datatype)
    if dtype is None or dtype is np.object_:
        raise InputError(f"{name} has the datatype {tensor.datatype!r}, which no artifact takes: send numbers")
    if not all(isinstance(size, int) and size >= 0 for size in shape):
        raise InputError(f"{name} has the shape {shape}: give its sizes as numbers that are not negative")
    if len(shape) > _AXES:
        raise InputError(f"{name} has {len(shape)} axes, {_AXES} are allowed: send a tensor that the artifact takes")
    count = math.prod(shape)
    raw = tensor._raw_data
    if raw is not None:
        expected = count * np.dtype(dtype).itemsize
        if len(raw) != expected:
            raise InputError(f"{name} of shape {shape} has {len(raw)} bytes, {expected} are due: send all, and no more")
        return np.frombuffer(raw, dtype).reshape(shape)
    # Without bytes, as gRPC and REST's binary extension send them, there are numbers of JSON, flat or nested. What does
    # not fit becomes a fault of the request: NumPy's own errors would be answered as one of the server's.
    try:
        values = np.array(tensor.data, dtype)
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(
            f"{name} has data that are not {tensor.datatype} ({error}): send numbers of that type"
        ) from error
    if values.size != count:
        raise InputError(f"{name} of shape {shape} has {values.size} elements, {count} are due: send all, and no more")
    return values.reshape(shape)


def _encode(name: str, value: Array, binary: bool) -> InferOutput:
    output = InferOutput(name, list(value.shape), from_np_dtype(value.dtype))
    if binary:
        output.set_data_from_numpy(np.ascontiguousarray(value), binary_data=True)
    else:
        output.data = value  # which the server encodes as the request asks for
    return output


def _describe(spec: TensorSpec) -> dict[str, Any]:
    sizes: Sequence[int | str] = spec["shape"]
    return {
        "name": spec["name"],
        "datatype": from_np_dtype(np.dtype(spec["dtype"])),
        "shape": [size if isinstance(size, int) else -1 for size in sizes],
    }
