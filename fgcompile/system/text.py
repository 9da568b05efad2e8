"""Names and labels are other people's: what would move a terminal's cursor or end a line is shown as its escape."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

CONTROLS = "\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff"
"""Control characters, what ends a line in Unicode, what turns the direction of writing, and bytes of no encoding, as a
set of a regular expression."""

# Marks of direction too, which labels in Arabic or Hebrew may have.
_INVISIBLE = re.compile(f"[{CONTROLS}\u061c\u200e\u200f]")

_LONGEST_NAME = 200
"""Bytes of a photo's name that go into the names of its files: 255 are what file systems allow."""


def visible(text: str) -> str:
    r"""The text in one line: ``\n`` for a newline, ``\x1b`` for an escape, ``\udce9`` for a byte that is not UTF-8."""
    return _INVISIBLE.sub(lambda found: ascii(found[0])[1:-1], text)


def as_typed(path: object) -> str:
    """A path as a user wrote it: of an address, which is none, both slashes, which paths join."""
    return re.sub(r"\b(\w{2,}):/(?=[^/\s])", r"\1://", str(path))


def brief(text: str, limit: int) -> str:
    """The text without what would make it longer than ``limit`` bytes of UTF-8, as names of files are bounded."""
    return text.encode("utf-8", "surrogateescape")[:limit].decode("utf-8", "ignore")


def distinct_names(paths: Sequence[Path]) -> list[str]:
    """Names for files beside others: those without suffix; where one was taken already, with the next free number."""
    names: list[str] = []
    for path in paths:
        stem = brief(visible(path.stem), _LONGEST_NAME)
        name, number = stem, 1
        while name in names:
            number += 1
            name = f"{stem}-{number}"
        names.append(name)
    return names
