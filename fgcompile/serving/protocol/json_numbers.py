"""The numbers of a list of JSON, flat or nested as a shape says, read chunk by chunk into one array.

A JSON library would hold Python's lock until it has made an object of every number: a second for a large body, in which
the server answered nobody.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import orjson

from fgcompile.artifact.validation import Array
from fgcompile.errors import InputError

CHUNK = 1 << 16
_KINDS: dict[str, frozenset[type]] = {"b": frozenset({bool}), "f": frozenset({int, float})}
_INTEGERS = frozenset({int})
_FLAT = bytes.maketrans(b"[]", b"  ")
_BLANKS = b" \t\r\n"


def read_numbers(
    body: bytes | bytearray, span: tuple[int, int], name: str, dtype: np.dtype[Any], shape: Sequence[int]
) -> Array:
    """The tensor whose values stand between the brackets of a list.

    Args:
        body: The text.
        span: Where the list's contents begin and end.
        name: The tensor's.
        dtype: What its values become.
        shape: Its shape; the list has all values in a row, or is nested as the shape says.

    Raises:
        InputError: The values are no numbers of that type, too few or too many, or nested otherwise.
    """
    count = math.prod(shape)
    # Each value but the last takes two characters at least, so a shape that announces more is refused before any
    # memory is asked for.
    if count > (span[1] - span[0] + 1) // 2 + 1:
        raise InputError(f"{name} of shape {list(shape)} has fewer elements than {count}: send all, and no more")
    values, filled, nesting = np.empty(count, dtype), 0, _Nesting(name, shape)
    for chunk in _chunks(body, span, name):
        numbers = _parse(nesting.flatten(chunk), name, dtype)
        if filled + len(numbers) > count:
            raise InputError(f"{name} of shape {list(shape)} has more elements than {count}: send all, and no more")
        values[filled : filled + len(numbers)] = numbers
        filled += len(numbers)
    nesting.finish()
    if filled != count:
        raise InputError(f"{name} of shape {list(shape)} has {filled} elements, {count} are due: send all, and no more")
    return values.reshape(shape)


def _chunks(body: bytes | bytearray, span: tuple[int, int], name: str) -> Iterator[bytes]:
    """The text between its commas, in chunks; none for an empty list."""
    position, end = span
    if end - position < CHUNK and not bytes(body[position:end]).strip(_BLANKS):
        return
    while position <= end:
        cut = end if end - position <= CHUNK else body.rfind(b",", position, position + CHUNK)
        if cut < 0:
            raise InputError(f"{name} has a value of more than {CHUNK} characters: send numbers")
        yield bytes(body[position:cut])
        position = cut + 1


def _parse(text: bytes, name: str, dtype: np.dtype[Any]) -> Array:
    try:
        numbers = orjson.loads(b"[%b]" % text)
        wrong = set(map(type, numbers)) - _KINDS.get(dtype.kind, _INTEGERS)
        if wrong or not numbers:
            raise InputError(f"{name} has data that are not {dtype}: send numbers of that type, one between two commas")
        with np.errstate(over="ignore"):  # what becomes infinite is refused with what was
            return np.array(numbers, dtype)
    except (ValueError, TypeError, OverflowError) as error:
        raise InputError(f"{name} has data that are not {dtype} ({error}): send numbers of that type") from error


class _Nesting:
    """Whether lists within the list are those of a shape (s₁, …, sₖ).

    With P = sₗ ⋯ sₖ values in each list of level l, the i-th of them opens behind i P commas and closes behind
    (i + 1) P − 1: no other nesting has that at all levels.
    """

    def __init__(self, name: str, shape: Sequence[int]) -> None:
        self._name, self._shape = name, shape
        self._opened = [0] * (len(shape) + 1)
        self._closed = [0] * (len(shape) + 1)
        self._depth, self._commas = 1, 0

    def flatten(self, chunk: bytes) -> bytes:
        """A chunk without its brackets, which are checked; it begins behind a comma, and ends before one."""
        if b"[" in chunk or b"]" in chunk:
            self._check(np.frombuffer(chunk.translate(None, _BLANKS), np.uint8))
            chunk = chunk.translate(_FLAT)
        self._commas += chunk.count(b",") + 1
        return chunk

    def _check(self, text: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
        opens, closes, commas = text == ord("["), text == ord("]"), text == ord(",")
        depths = self._depth + np.cumsum(opens.astype(np.int8) - closes.astype(np.int8), dtype=np.int64)
        if depths.min() < 1 or depths.max() > len(self._shape):
            self._refuse()
        self._depth = int(depths[-1])
        # A list stands where a value could: behind a comma or a bracket, and before one.
        if (opens[1:] & ~(opens | commas)[:-1]).any() or (closes[:-1] & ~(closes | commas)[1:]).any():
            self._refuse()
        before = self._commas + np.cumsum(commas)
        for level in range(2, len(self._shape) + 1):
            size = math.prod(self._shape[level - 1 :])
            self._follow(self._opened, level, before[opens & (depths == level)], size, 0)
            self._follow(self._closed, level, before[closes & (depths == level - 1)], size, size - 1)

    def _follow(self, seen: list[int], level: int, before: np.ndarray[Any, Any], size: int, offset: int) -> None:
        if (before != (seen[level] + np.arange(len(before))) * size + offset).any():
            self._refuse()
        seen[level] += len(before)

    def finish(self) -> None:
        """Passes a list that was flat, or nested to its end."""
        due = [math.prod(self._shape[: level - 1]) for level in range(2, len(self._shape) + 1)]
        if self._depth != 1 or (any(self._opened) and self._opened[2:] != due):
            self._refuse()

    def _refuse(self) -> None:
        raise InputError(
            f"{self._name} is nested otherwise than its shape {list(self._shape)} says: send its values in a row"
        )
