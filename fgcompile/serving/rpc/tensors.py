"""``ModelInfer``'s messages as a request, and outputs as its answer."""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError

from fgcompile.artifact.validation import Array
from fgcompile.errors import InputError
from fgcompile.runtime.finite import describe_overflow
from fgcompile.serving.protocol import texts
from fgcompile.serving.protocol.messages import WARNING, Request, Wanted, by_name
from fgcompile.serving.protocol.tensors import DATATYPES, check_shape, from_bytes, to_dtype
from fgcompile.serving.protocol.wire_bounds import Cut, cut
from fgcompile.serving.protocol.wire_numbers import read_contents
from fgcompile.serving.rpc.messages import METHODS


@dataclass(frozen=True)
class Envelope:
    """A message whose values are not read yet.

    Attributes:
        content: All of it.
        cut: Where its values lie.
        parsed: The rest.
    """

    content: bytes
    cut: Cut
    parsed: Any


def parse(kind: str, content: bytes) -> Any:
    """The request of a method.

    Raises:
        InputError: The message is none.
    """
    try:
        return METHODS[kind][0].FromString(content)
    except DecodeError as error:
        raise InputError(f"the message is no {kind}Request ({error}): see the Open Inference Protocol") from error


def open_envelope(content: bytes) -> Envelope:
    """A ``ModelInferRequest``, measured.

    Raises:
        InputError: It is none, or has too much around its values.
    """
    found = cut(content)
    return Envelope(content, found, parse("ModelInfer", found.envelope))


def decode(envelope: Envelope, elements: int) -> Request:
    """The request in a message.

    Args:
        envelope: The message.
        elements: The most values that contents may hold.

    Raises:
        InputError: Its tensors do not fit their values.
    """
    request, raw = envelope.parsed, envelope.cut.raw
    if raw and (len(raw) != len(request.inputs) or any(envelope.cut.contents)):
        raise InputError(
            f"the request has {len(request.inputs)} inputs and {len(raw)} raw_input_contents: send the bytes of all,"
            " or the contents of all"
        )
    return Request(
        id=request.id,
        tensors=by_name(
            [(tensor.name, _read(envelope, index, elements)) for index, tensor in enumerate(request.inputs)]
        ),
        wanted=[Wanted(output.name, True) for output in request.outputs],
        binary=True,
    )


def _read(envelope: Envelope, index: int, elements: int) -> Array:
    tensor = envelope.parsed.inputs[index]
    if envelope.cut.raw:
        begin, end = envelope.cut.raw[index]
        return from_bytes(tensor.name, tensor.datatype, tensor.shape, memoryview(envelope.content)[begin:end])
    if tensor.datatype != texts.DATATYPE:
        to_dtype(tensor.name, tensor.datatype)
    shape = check_shape(tensor.name, tensor.shape)
    if math.prod(shape) > elements:
        raise InputError(f"{tensor.name} has more than {elements} values in its contents: send raw_input_contents")
    span = envelope.cut.contents[index] or (0, 0)
    if tensor.datatype == texts.DATATYPE:
        return texts.from_contents(envelope.content, span, tensor.name, shape)
    return read_contents(envelope.content, span, tensor.name, tensor.datatype, shape)


def encode(request: Request, model: str, outputs: Mapping[str, Array]) -> bytes:
    """The ``ModelInferResponse`` to a request, its values as bytes."""
    response: Any = METHODS["ModelInfer"][1](model_name=model, id=request.id or str(uuid.uuid4()))
    names = [output.name for output in request.wanted] or list(outputs)
    if found := describe_overflow({name: outputs[name] for name in names}):
        response.parameters[WARNING].string_param = found
    for name in names:
        value = outputs[name]
        response.outputs.add(name=name, shape=value.shape, datatype=DATATYPES[value.dtype])
        raw = texts.to_raw(value.flat) if value.dtype == texts.DTYPE else value.tobytes()
        response.raw_output_contents.append(raw)
    content: bytes = response.SerializeToString()
    return content
