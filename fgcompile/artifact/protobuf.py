"""Protocol buffers as they lie in a file: fields and lengths, as far as an ONNX model is looked into.

Nothing is copied and nothing is built: time and memory are bounded by the number of fields that are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

_NEITHER = "neither a zip archive nor a protobuf message"
_LONGEST_VARINT = 10


def fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and content of a message's length-delimited fields; the others are skipped.

    Raises:
        ValueError: The message ends within a field, or has none that protocol buffers have.
    """
    for kind, number, _, start, end in spans(message, 0, len(message)):
        if kind == DELIMITED:
            yield number, message[start:end]


DELIMITED = 2
"""The wire type of a field that has a length: text, bytes, a message."""


def spans(message: memoryview, position: int, last: int) -> Iterator[tuple[int, int, int, int, int]]:
    """Of the fields from a position on: wire type, number, where each begins, where its content does and where it ends.

    Raises:
        ValueError: The message ends within a field, or has none that protocol buffers have.
    """
    while position < last:
        beginning = position
        tag, start = _varint(message, position)
        match tag & 7:
            case 0:
                _, position = _varint(message, start)
            case 1:
                position = start + 8
            case 2:
                size, start = _varint(message, start)
                position = start + size
            case 5:
                position = start + 4
            case _:
                raise ValueError(_NEITHER)
        if position > last:
            raise ValueError(_NEITHER)
        yield tag & 7, tag >> 3, beginning, start, position


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """A base-128 integer of 64 bits, least significant group first, and the position behind it."""
    value = 0
    for index, byte in enumerate(message[position : position + _LONGEST_VARINT]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, position + index + 1
    raise ValueError(_NEITHER)
