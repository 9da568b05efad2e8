"""Requests of REST: JSON, whose tensors have their values in it or, by the extension for binary data, behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import orjson

from fgcompile.artifact.validation import Array
from fgcompile.errors import InputError
from fgcompile.serving.protocol import texts
from fgcompile.serving.protocol.json_bounds import Outline, outline
from fgcompile.serving.protocol.json_numbers import read_numbers
from fgcompile.serving.protocol.messages import Request, Wanted, by_name
from fgcompile.serving.protocol.tensors import check_shape, from_bytes, to_dtype

HEADER = "Inference-Header-Content-Length"
"""The header that says how many bytes of a body are JSON, where tensors stand behind it."""

_SHAPE = 4096
"""Characters of a shape."""

Kind = TypeVar("Kind")


def read_length(header: str | None, size: int) -> int:
    """How many bytes of a body are JSON.

    Raises:
        InputError: The header is no number, or does not fit the body.
    """
    if header is None:
        return size
    if not (header.isascii() and header.isdigit() and len(header) < 20 and 0 < int(header) <= size):
        raise InputError(f"{HEADER} {header!r} does not fit a body of {size} bytes: send the true size of the JSON")
    return int(header)


def decode(body: bytes | bytearray, header: str | None, elements: int) -> Request:
    """The request in a body.

    Args:
        body: JSON, then the bytes of each tensor that names a ``binary_data_size``, in order.
        header: The value of ``HEADER``; None where all is JSON.
        elements: The most values that JSON may hold.

    Raises:
        InputError: It is no request of the protocol, or its sizes do not fit each other.
    """
    length = read_length(header, len(body))
    cut = outline(body, length, elements)
    try:
        given = orjson.loads(cut.envelope)
    except ValueError as error:
        raise InputError(f"the request is not JSON ({error}): see the Open Inference Protocol, version 2") from error
    reader = _Reader(body, cut, length)
    envelope = _typed(given, dict, "the request")
    tensors = [reader.read(each) for each in _field(envelope, "inputs", list, "the request")]
    reader.finish()
    parameters = _field(envelope, "parameters", dict, "the request", {})
    binary = parameters.get("binary_data_output", False) is True
    return Request(
        id=_field(envelope, "id", str, "the request", ""),
        tensors=by_name(tensors),
        wanted=_wanted(_field(envelope, "outputs", list, "the request", []), binary),
        binary=binary,
    )


def _wanted(outputs: Sequence[Any], binary: bool) -> list[Wanted]:
    wanted = []
    for output in outputs:
        name = _field(_typed(output, dict, "an output"), "name", str, "an output")
        parameters = _field(output, "parameters", dict, name, {})
        wanted.append(Wanted(name, parameters.get("binary_data", binary) is True))
    return wanted


class _Reader:
    """Reads tensors one after the other, and the bytes behind the JSON with them."""

    def __init__(self, body: bytes | bytearray, cut: Outline, position: int) -> None:
        self._body, self._lists, self._position = body, cut.lists, position

    def read(self, given: object) -> tuple[str, Array]:
        """The name and the values of a tensor."""
        tensor = _typed(given, dict, "an input")
        name = _field(tensor, "name", str, "an input")
        datatype = _field(tensor, "datatype", str, name)
        shape = self._read_shape(_field(tensor, "shape", list, name), name)
        if "data" in tensor:
            span = self._lists[_field(tensor, "data", list, name)[0]]
            sizes = check_shape(name, shape)
            if datatype == texts.DATATYPE:
                return name, texts.from_list(bytes(self._body[span[0] : span[1]]), name, sizes)
            return name, read_numbers(self._body, span, name, to_dtype(name, datatype), sizes)
        return name, from_bytes(name, datatype, shape, self._take(tensor, name))

    def _read_shape(self, placeholder: list[int], name: str) -> list[object]:
        begin, end = self._lists[placeholder[0]]
        if end - begin > _SHAPE:
            raise InputError(f"{name} has a shape of {end - begin} characters: give its sizes")
        try:
            return list(orjson.loads(b"[%b]" % bytes(self._body[begin:end])))
        except ValueError as error:
            raise InputError(f"{name} has a shape that is not JSON ({error}): give its sizes") from error

    def _take(self, tensor: Mapping[str, Any], name: str) -> memoryview:
        """The bytes of a tensor, which are the next behind the JSON."""
        size = _field(tensor, "parameters", dict, name, {}).get("binary_data_size")
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise InputError(f"{name} has neither data nor a binary_data_size: send one of them")
        left = len(self._body) - self._position
        if size > left:
            raise InputError(f"{name} has a binary_data_size of {size}, {left} bytes are left: send all of them")
        self._position += size
        return memoryview(self._body)[self._position - size : self._position]

    def finish(self) -> None:
        """Passes a body of which nothing is left."""
        if left := len(self._body) - self._position:
            raise InputError(f"{left} bytes belong to no tensor: send all, and no more")


def _field(given: Mapping[str, Any], name: str, kind: type[Kind], where: str, default: Kind | None = None) -> Kind:
    """A field of an object, of a kind; what is missing, or null, is the default."""
    value = given.get(name)
    if value is None:
        if default is None:
            raise InputError(f"{where} has no {name}: see the Open Inference Protocol, version 2")
        return default
    return _typed(value, kind, f"{name} of {where}")


_NAMES: dict[type, str] = {dict: "object", list: "list", str: "string"}


def _typed(value: object, kind: type[Kind], what: str) -> Kind:
    if not isinstance(value, kind):
        raise InputError(f"{what} has to be a JSON {_NAMES[kind]}: see the Open Inference Protocol, version 2")
    return value
