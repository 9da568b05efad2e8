"""An ONNX model written anew, but for its tensors as it was: messages around one get the lengths that they have now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fgcompile.artifact.onnx_container import BELOW, DEEPEST
from fgcompile.artifact.protobuf import DELIMITED, spans


@dataclass(frozen=True)
class Stretch:
    """Bytes of another file, which are not read yet."""

    offset: int
    length: int

    def __len__(self) -> int:
        return self.length


Parts = list[bytes | memoryview | Stretch]
"""What makes a message, one behind the other: weights are not copied."""


def joined(parts: Parts) -> bytes:
    """The message of parts that are all here."""
    return b"".join(part for part in parts if not isinstance(part, Stretch))


class Rewriting:
    """Writes messages anew; what has no tensor that changes is taken as it is."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.view = memoryview(content)

    def whole(self) -> Parts:
        """The parts of the whole model."""
        return self.message(0, len(self.content), "model", 0)

    def leaves(self, start: int, end: int) -> bool:
        """Whether what lies from ``start`` to ``end`` stays as it is."""
        raise NotImplementedError

    def tensor(self, start: int, end: int) -> Parts:
        """The parts of a tensor's message."""
        raise NotImplementedError

    def message(self, start: int, end: int, kind: str, depth: int) -> Parts:
        """The parts of a message that lies from ``start`` to ``end``."""
        if depth > DEEPEST:
            raise ValueError(f"its graphs are deeper than {DEEPEST}")
        if self.leaves(start, end) or kind == "sparse":  # whose tensors are read from no other file
            return [self.view[start:end]]
        if kind == "tensor":
            return self.tensor(start, end)
        parts: Parts = []
        for wire, field, beginning, inner, after in spans(self.view, start, end):
            below = BELOW.get(kind, {}).get(field)
            if below is not None and wire == DELIMITED:
                parts += delimited(field, self.message(inner, after, below, depth + 1))
            else:
                parts.append(self.view[beginning:after])
        return parts


def delimited(number: int, parts: Sequence[bytes | memoryview | Stretch]) -> Parts:
    """A length-delimited field."""
    return [_varint(number << 3 | DELIMITED) + _varint(sum(map(len, parts))), *parts]


def _varint(value: int) -> bytes:
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])
