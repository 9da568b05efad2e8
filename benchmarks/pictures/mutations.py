"""What is done to a file: as transmission, careless tools and attackers do."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from random import Random

_HEADER = 256
_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def _flip(content: bytes, _: bytes, random: Random) -> bytes:
    """Single bits, anywhere."""
    changed = bytearray(content)
    for _time in range(random.randint(1, 16)):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _truncate(content: bytes, _: bytes, random: Random) -> bytes:
    """The end is missing."""
    return content[: random.randrange(len(content))]


def _header(content: bytes, _: bytes, random: Random) -> bytes:
    """Random bytes among the first."""
    changed = bytearray(content)
    for _time in range(random.randint(1, 8)):
        changed[random.randrange(min(len(changed), _HEADER))] = random.randrange(256)
    return bytes(changed)


def _extreme(content: bytes, _: bytes, random: Random) -> bytes:
    """A number becomes the least or the largest of its width: sizes, counts, offsets, anywhere in the file's ends."""
    width = random.choice((1, 2, 4))
    near = random.randrange(min(len(content), 2 * _HEADER))
    place = near if random.random() < 0.7 else max(0, len(content) - 1 - near)
    number = random.choice(_EXTREMES) & (1 << 8 * width) - 1
    written = number.to_bytes(width, random.choice(("big", "little")))
    return content[:place] + written + content[place + width :]


def _dimensions(content: bytes, _: bytes, random: Random) -> bytes:
    """Wherever the picture's side of 32 stands, another."""
    side = random.choice((0, 1, 31, 33, 300, 5000, 20_000, 65_535))
    for old, new in ((">I", ">I"), ("<I", "<I"), (">H", ">H"), ("<H", "<H")):
        if random.random() < 0.6:
            content = content.replace(struct.pack(old, 32), struct.pack(new, side))
    return content.replace(b"(32, 32", f"({side}, {side}".encode()).replace(b"32 32", f"{side} {side}".encode())


def _splice(content: bytes, other: bytes, random: Random) -> bytes:
    """The beginning of one file, the end of another."""
    return content[: random.randrange(len(content))] + other[random.randrange(len(other) or 1) :]


def _nest(content: bytes, other: bytes, random: Random) -> bytes:
    """Another file within, or behind."""
    place = random.choice((len(content), random.randrange(len(content))))
    return content[:place] + other + content[place:]


def _polyglot(content: bytes, other: bytes, random: Random) -> bytes:
    """The magic bytes of two kinds: the preamble of DICOM is free for others, the end of many files too."""
    if random.random() < 0.5 and other[128:132] == b"DICM":
        return content[:128].ljust(128, b"\0") + other[128:]
    return other[: random.choice((2, 4, 8, 12))] + content[random.choice((0, 2, 4, 8, 12)) :]


def _repeat(content: bytes, _: bytes, random: Random) -> bytes:
    """A piece is there many times."""
    start = random.randrange(len(content))
    piece = content[start : start + random.randint(1, 64)]
    return content[:start] + piece * random.randint(2, 2000) + content[start:]


MUTATIONS: dict[str, Callable[[bytes, bytes, Random], bytes]] = {
    "as it is": lambda content, other, random: content,
    "bits flipped": _flip,
    "cut off": _truncate,
    "header bytes": _header,
    "extreme numbers": _extreme,
    "other dimensions": _dimensions,
    "spliced": _splice,
    "nested": _nest,
    "polyglot": _polyglot,
    "repeated": _repeat,
}


def mutate(name: str, contents: Sequence[bytes], index: int, random: Random) -> bytes:
    """A mutation of ``contents[index]``, into which another of them may go."""
    content = contents[index]
    if not content:
        return content
    return MUTATIONS[name](content, random.choice(contents), random)
