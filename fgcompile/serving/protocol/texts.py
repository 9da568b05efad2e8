"""Texts of the protocol, tensors of ``BYTES``: in JSON as texts, in binary each behind its length, little-endian."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import orjson

from fgcompile.artifact.validation import Array
from fgcompile.errors import InputError
from fgcompile.serving.protocol.wire_bounds import BYTES, Fields, Span

DATATYPE = "BYTES"
DTYPE = np.dtype(object)
"""That of arrays of texts."""

_FIELD = 8
_LENGTH = 4
_MOST = 8192
"""Texts of a request."""

_LARGEST = 8 << 20
"""Bytes of them: they become objects of Python's, under its lock."""


def from_list(text: bytes, name: str, shape: Sequence[int]) -> Array:
    """The texts of a list of JSON, flat or nested as the shape says; ``text`` stands between its brackets.

    Raises:
        InputError: They are no texts, too few or too many.
    """
    _require_size(len(text), name)
    try:
        found = np.array(orjson.loads(b"[%b]" % text), DTYPE)
    except ValueError as error:
        raise InputError(f"{name} has data that are not JSON ({error}): send texts") from error
    if found.shape not in (tuple(shape), (math.prod(shape),)):
        raise InputError(f"{name} of shape {list(shape)} has data of shape {list(found.shape)}: send all, and no more")
    if not all(isinstance(each, str) for each in found.flat):
        raise InputError(f"{name} has data that are no texts: send them in quotes")
    return found.reshape(shape)


def from_raw(raw: memoryview, name: str, shape: Sequence[int]) -> Array:
    """The texts of a tensor that was sent as bytes.

    Raises:
        InputError: They end midway, are not UTF-8, too few or too many.
    """
    parts: list[bytes] = []
    position = 0
    _require_size(len(raw), name)
    while position < len(raw) and len(parts) <= _MOST:
        end = position + _LENGTH + int.from_bytes(raw[position : position + _LENGTH], "little")
        if position + _LENGTH > len(raw) or end > len(raw):
            raise InputError(
                f"{name} has a text that ends midway: send the length of each in four bytes in front of it"
            )
        parts.append(bytes(raw[position + _LENGTH : end]))
        position = end
    return _made(parts, name, shape)


def from_contents(message: bytes, span: Span, name: str, shape: Sequence[int]) -> Array:
    """The texts of a tensor's ``bytes_contents``, which gRPC's clients may send in place of bytes.

    Raises:
        InputError: There are others, they are not UTF-8, too few or too many.
    """
    parts: list[bytes] = []
    _require_size(span[1] - span[0], name)
    for number, kind, _, (begin, end) in Fields(message).walk(*span):
        if (number, kind) != (_FIELD, BYTES):
            raise InputError(f"{name} has contents that are not {DATATYPE}: send bytes_contents")
        parts.append(message[begin:end])
    return _made(parts, name, shape)


def _require_size(size: int, name: str) -> None:
    if size > _LARGEST:
        raise InputError(f"{name} has {size} bytes of texts, {_LARGEST} are allowed: send fewer at once")


def _made(parts: Sequence[bytes], name: str, shape: Sequence[int]) -> Array:
    if len(parts) != math.prod(shape) or len(parts) > _MOST:
        raise InputError(f"{name} of shape {list(shape)} has {len(parts)} texts: send all, and no more than {_MOST}")
    found = np.empty(len(parts), DTYPE)
    try:
        found[:] = [part.decode() for part in parts]
    except UnicodeDecodeError as error:
        raise InputError(f"{name} has a text that is not UTF-8 ({error.reason}): send UTF-8") from error
    return found.reshape(shape)


def to_raw(texts: Iterable[Any]) -> bytes:
    """Texts as bytes, each behind its length."""
    encoded = (str(text).encode("utf-8", "replace") for text in texts)
    return b"".join(len(each).to_bytes(_LENGTH, "little") + each for each in encoded)
