"""JSON measured before it is parsed: how deep it is, how many values, objects and texts it has.

One pass over the bytes, in chunks, each a few operations of NumPy on whole chunks; nothing is built of what it reads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fgcompile.errors import InputError

CHUNK = 1 << 18
DEPTH = 36
"""Brackets within brackets: an object, a list of tensors, a tensor, and its data with at most 32 axes."""

OBJECTS = 1024
TEXTS = 8192
ENVELOPE = 1 << 18
"""Bytes of JSON around the tensors' data, which are parsed at once."""

_CUT = 4
"""The depth within ``{"inputs": [{"data": [`` ."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Outline:
    """A body without its long lists.

    Attributes:
        envelope: The JSON, where each list of a tensor is that of one number, its place in ``lists``.
        lists: Where the contents of each begin and end in the body.
    """

    envelope: bytes
    lists: list[tuple[int, int]]


def outline(body: bytes | bytearray, end: int, elements: int) -> Outline:
    """Measures the JSON in the first ``end`` bytes of a body, and cuts its tensors' lists out.

    Args:
        body: JSON, and what may stand behind it.
        end: Bytes of JSON.
        elements: The most values.

    Raises:
        InputError: It is too deep, too large, or ends midway.
    """
    scan = _Scan(elements)
    view = memoryview(body)[:end]
    for start in range(0, end, CHUNK):
        scan.read(np.frombuffer(view[start : start + CHUNK], np.uint8), start)
    if scan.depth or scan.inside or len(scan.starts) != len(scan.ends):
        raise InputError("the JSON of the request ends midway: send all of it")
    lists = list(zip(scan.starts, scan.ends, strict=True))
    size = end - sum(finish - begin for begin, finish in lists)
    if size > ENVELOPE:
        raise InputError(f"the JSON around the tensors' data has {size} bytes, {ENVELOPE} are allowed: shorten it")
    return Outline(b"".join(_without(view, lists)), lists)


def _without(view: memoryview, lists: list[tuple[int, int]]) -> Iterator[bytes]:
    position = 0
    for number, (begin, finish) in enumerate(lists):
        yield bytes(view[position:begin])
        yield str(number).encode()
        position = finish
    yield bytes(view[position:])


@dataclass
class _Scan:
    """What was seen so far."""

    elements: int
    inside: bool = False  # a text
    escaping: bool = False  # the next character
    depth: int = 0
    values: int = 0
    objects: int = 0
    texts: int = 0
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)

    def read(self, chunk: NDArray[np.uint8], offset: int) -> None:
        """Reads one chunk, which begins at ``offset``."""
        quotes = chunk == ord('"')
        slashes = chunk == ord("\\")
        if self.escaping or slashes.any():
            escaped = _escaped(slashes, self.escaping)
            self.escaping = bool(slashes[-1] and not escaped[-1])
            quotes &= ~escaped
        outside = ~(np.logical_xor.accumulate(quotes) ^ self.inside)
        self.inside = not outside[-1]
        self.texts += int(quotes.sum())
        self._count(chunk, outside, offset)
        for name, seen, allowed in (
            ("values", self.values, self.elements),
            ("objects", self.objects, OBJECTS),
            ("texts", self.texts // 2, TEXTS),
        ):
            if seen > allowed:
                raise InputError(f"the JSON of the request has more than {allowed} {name}: send tensors as bytes")

    def _count(self, chunk: NDArray[np.uint8], outside: Flags, offset: int) -> None:
        lists = outside & (chunk == ord("["))
        objects = outside & (chunk == ord("{"))
        list_ends = outside & (chunk == ord("]"))
        closes = list_ends | (outside & (chunk == ord("}")))
        depths = self.depth + np.cumsum((lists | objects).astype(np.int8) - closes.astype(np.int8), dtype=np.int64)
        if depths.max() > DEPTH or depths.min() < 0:
            raise InputError(f"the JSON of the request has brackets that do not match, or more than {DEPTH} deep")
        self.depth = int(depths[-1])
        self.objects += int(objects.sum())
        self.values += int((outside & (chunk == ord(","))).sum() + lists.sum())
        self.starts += (np.flatnonzero(lists & (depths == _CUT)) + offset + 1).tolist()
        self.ends += (np.flatnonzero(list_ends & (depths == _CUT - 1)) + offset).tolist()
        if len(self.starts) > OBJECTS:
            raise InputError(f"the JSON of the request has more than {OBJECTS} lists: send tensors as bytes")
        if any(begin > finish for begin, finish in zip(self.starts, self.ends, strict=False)):
            raise InputError("the JSON of the request has brackets that do not match")


def _escaped(slashes: Flags, first: bool) -> Flags:
    """Which characters a backslash before them escapes: those behind an odd run of backslashes."""
    places = np.arange(len(slashes))
    last_other = np.maximum.accumulate(np.where(slashes, -1, places))
    # A backslash that the chunk before left open makes one more in the run at its beginning.
    runs = np.where(slashes, places - last_other, 0) + np.where(last_other < 0, int(first), 0) * slashes
    escaped = np.empty_like(slashes)
    escaped[0] = first
    escaped[1:] = runs[:-1] % 2 == 1
    return escaped
