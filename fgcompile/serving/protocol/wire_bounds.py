"""Messages of protocol buffers measured before they are parsed: how many fields, and where the tensors' values lie.

The library would copy the values, make numbers of eight bytes of each byte, and hold Python's lock meanwhile. So they
are cut out, and what is left for it to parse is small.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from fgcompile.errors import InputError

FIELDS = 4096
"""Fields of a request, of its tensors, and of their contents, together."""

ENVELOPE = 1 << 18
"""Bytes around the tensors' values."""

BYTES = 2
_FIXED = {1: 8, 5: 4}
_INPUTS, _RAW, _CONTENTS = 5, 7, 5
_INPUTS_TAG = bytes([_INPUTS << 3 | BYTES])

Span = tuple[int, int]


@dataclass
class Cut:
    """A ``ModelInferRequest`` without values.

    Attributes:
        envelope: The message without ``raw_input_contents``, its tensors without ``contents``.
        raw: Where each of ``raw_input_contents`` lies.
        contents: Where the contents of each tensor lie, where it has some.
    """

    envelope: bytes = b""
    raw: list[Span] = field(default_factory=list)
    contents: list[Span | None] = field(default_factory=list)


class Fields:
    """Walks over the fields of messages, and counts them."""

    def __init__(self, message: bytes) -> None:
        self._message, self._left = message, FIELDS

    def walk(self, position: int, end: int) -> Iterator[tuple[int, int, int, Span]]:
        """Each field between two places: its number, its wire type, where it begins and where its value lies.

        Raises:
            InputError: There are too many, or one of them is none.
        """
        while position < end:
            start = position
            self._left -= 1
            if self._left < 0:
                raise InputError(f"the request has more than {FIELDS} fields: send tensors as raw_input_contents")
            tag, position = self._varint(position, end)
            size, kind = 0, tag & 7
            if kind == 0:
                begin, (_, position) = position, self._varint(position, end)
            elif kind == BYTES:
                size, begin = self._varint(position, end)
                position = begin + size
            elif kind in _FIXED:
                begin, position = position, position + _FIXED[kind]
            else:
                raise InputError("the request is no message of protocol buffers: see the Open Inference Protocol")
            if position > end:
                raise InputError("the request is a message that ends midway: see the Open Inference Protocol")
            yield tag >> 3, kind, start, (begin, position)

    def _varint(self, position: int, end: int) -> tuple[int, int]:
        value = 0
        for shift in range(0, 70, 7):
            if position >= end:
                break
            byte = self._message[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, position
        raise InputError("the request is a message with a number that does not end: see the Open Inference Protocol")


def cut(message: bytes) -> Cut:
    """Measures a ``ModelInferRequest``, and cuts its values out.

    Raises:
        InputError: It is no message, or has too much around its values.
    """
    fields, found, parts = Fields(message), Cut(), []
    for number, kind, start, (begin, end) in fields.walk(0, len(message)):
        if (number, kind) == (_RAW, BYTES):
            found.raw.append((begin, end))
        elif (number, kind) == (_INPUTS, BYTES):
            tensor, contents = _cut_tensor(message, fields, begin, end)
            parts += [_INPUTS_TAG, _as_varint(len(tensor)), tensor]
            found.contents.append(contents)
        else:
            parts.append(message[start : min(end, start + ENVELOPE + 1)])
    found.envelope = b"".join(parts)
    if len(found.envelope) > ENVELOPE:
        raise InputError(f"the request has more than {ENVELOPE} bytes around its tensors' values: shorten it")
    return found


def _cut_tensor(message: bytes, fields: Fields, begin: int, end: int) -> tuple[bytes, Span | None]:
    """A tensor without its contents, and where they lie."""
    parts, contents = [], None
    for number, kind, start, span in fields.walk(begin, end):
        if (number, kind) != (_CONTENTS, BYTES):
            parts.append(message[start : min(span[1], start + ENVELOPE + 1)])
        elif contents is None:
            contents = span
        else:
            raise InputError("a tensor of the request has its contents twice: send them once")
    return b"".join(parts), contents


def _as_varint(value: int) -> bytes:
    digits = bytearray()
    while value >= 0x80:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    digits.append(value)
    return bytes(digits)
