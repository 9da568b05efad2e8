"""Protocol buffers in their text format, as far as Triton's ``config.pbtxt`` uses it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Union

Field = Union[str, int, bool, "Message", Sequence["Message"], Sequence[int]]
Message = Mapping[str, Field]
"""A message's fields by name; a sequence is a repeated field."""

_PRINTABLE = range(0x20, 0x7F)


class Constant(str):
    """A value of an enumeration, which is written without quotes."""


def dump(message: Message) -> str:
    """The message as text, one field a line."""
    return "".join(f"{line}\n" for line in _lines(message))


def _lines(message: Message) -> Iterator[str]:
    # A message is a block, a sequence of numbers one line in brackets, a sequence of messages the field repeated; a
    # text is a sequence too, and is none here.
    for name, field in message.items():
        if isinstance(field, Mapping):
            yield f"{name} {{"
            yield from (f"  {line}" for line in _lines(field))
            yield "}"
        elif isinstance(field, Sequence) and not isinstance(field, str):
            numbers = [str(element) for element in field if isinstance(element, int)]
            if numbers:
                yield f"{name}: [{', '.join(numbers)}]"
            for element in field:
                if isinstance(element, Mapping):
                    yield from _lines({name: element})
        else:
            yield f"{name}: {_scalar(field)}"


def _scalar(value: str | int) -> str:
    if isinstance(value, Constant):
        return value
    if isinstance(value, str):
        return f'"{"".join(map(_character, value.encode()))}"'
    return str(value).lower()  # of a boolean too


def _character(byte: int) -> str:
    character = chr(byte)
    return character if byte in _PRINTABLE and character not in '"\\' else f"\\{byte:03o}"
