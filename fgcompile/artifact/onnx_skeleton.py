"""An ONNX model without its weights: large tensors say where in the file they lie, as tensors of other files do.

    raw_data = bytes  →  external_data = {location, offset, length}

So that a parser copies none of them, and each is read from the file when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator

from fgcompile.artifact.onnx_container import BELOW, DEEPEST
from fgcompile.artifact.protobuf import DELIMITED, spans

SMALLEST = 1024
"""Bytes of a tensor that is left where it is."""

_RAW_DATA, _EXTERNAL_DATA, _DATA_LOCATION = 9, 13, 14
_KEY, _VALUE, _EXTERNAL = 1, 2, 1


def without_weights(content: bytes, location: str) -> bytes:
    """A model whose large tensors lie in ``content``, which is the file at ``location``.

    Raises:
        ValueError: It is no protobuf message.
    """
    whole = memoryview(content)
    return b"".join(_Skeleton(whole, location).message(0, len(whole), "model", 0))


class _Skeleton:
    """Writes messages anew, without the weights within; what has none is taken as it is."""

    def __init__(self, content: memoryview, location: str) -> None:
        self._content, self._location = content, location

    def message(self, start: int, end: int, kind: str, depth: int) -> list[bytes | memoryview]:
        """The parts of a message that lies from ``start`` to ``end``."""
        if depth > DEEPEST:
            raise ValueError(f"its graphs are deeper than {DEEPEST}")
        if end - start < SMALLEST:
            return [self._content[start:end]]
        parts: list[bytes | memoryview] = []
        own: list[bytes | memoryview] = []
        placed: list[bytes | memoryview] = []
        for wire, field, beginning, inner, after in spans(self._content, start, end):
            below = BELOW.get(kind, {}).get(field)
            if kind == "tensor" and field == _RAW_DATA and after - inner >= SMALLEST:
                placed = list(self._place(inner, after - inner))
            elif kind == "tensor" and field == _DATA_LOCATION:
                own.append(self._content[beginning:after])
            elif (
                below is not None and below != "sparse" and wire == DELIMITED
            ):  # sparse ones are read from no other file
                parts += _field(field, self.message(inner, after, below, depth + 1))
            else:
                parts.append(self._content[beginning:after])
        # Of a field that is written twice the last counts, and writers may say that the data are here, where they were.
        return [*parts, *(placed or own)]

    def _place(self, offset: int, length: int) -> Iterator[bytes | memoryview]:
        for key, value in (("location", self._location), ("offset", str(offset)), ("length", str(length))):
            pair = [*_field(_KEY, [key.encode()]), *_field(_VALUE, [value.encode("utf-8", "surrogateescape")])]
            yield from _field(_EXTERNAL_DATA, pair)
        yield bytes([_DATA_LOCATION << 3, _EXTERNAL])


def _field(number: int, parts: list[bytes | memoryview]) -> list[bytes | memoryview]:
    """A length-delimited field."""
    return [_varint(number << 3 | 2) + _varint(sum(map(len, parts))), *parts]


def _varint(value: int) -> bytes:
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])
