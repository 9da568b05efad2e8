"""An ONNX model without its weights: large tensors say where in the file they lie, as tensors of other files do.

    raw_data = bytes  →  external_data = {location, offset, length}

So that a parser copies none of them, and each is read from the file when it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping

from fgcompile.artifact.onnx_container import DATA_LOCATION, EXTERNAL, EXTERNAL_DATA, RAW_DATA
from fgcompile.artifact.onnx_rewriting import Parts, Rewriting, delimited, joined
from fgcompile.artifact.protobuf import spans
from fgcompile.artifact.seal import ENTRY_KEY, ENTRY_VALUE

SMALLEST = 1024
"""Bytes of a tensor that is left where it is."""


def without_weights(content: bytes, location: str) -> bytes:
    """A model whose large tensors lie in ``content``, which is the file at ``location``.

    Raises:
        ValueError: It is no protobuf message.
    """
    return joined(_Skeleton(content, location).whole())


class _Skeleton(Rewriting):
    """Leaves the weights out."""

    def __init__(self, content: bytes, location: str) -> None:
        super().__init__(content)
        self._location = location

    def leaves(self, start: int, end: int) -> bool:
        """Whether it is too small to hold weights."""
        return end - start < SMALLEST

    def tensor(self, start: int, end: int) -> Parts:
        """The tensor, and where its bytes lie instead of them."""
        parts: Parts = []
        own: Parts = []
        where: Parts = []
        for _, field, beginning, inner, after in spans(self.view, start, end):
            if field == RAW_DATA and after - inner >= SMALLEST:
                place = {"location": self._location, "offset": str(inner), "length": str(after - inner)}
                where = [*placed(place), bytes([DATA_LOCATION << 3, EXTERNAL])]
            elif field == DATA_LOCATION:
                own.append(self.view[beginning:after])
            else:
                parts.append(self.view[beginning:after])
        # Of a field that is written twice the last counts, and writers may say that the data are here, where they were.
        return [*parts, *(where or own)]


def placed(place: Mapping[str, str]) -> Parts:
    """The entries of a tensor that say where its bytes lie."""
    parts: Parts = []
    for key, value in place.items():
        pair = [*delimited(ENTRY_KEY, [key.encode()])]
        pair += delimited(ENTRY_VALUE, [value.encode("utf-8", "surrogateescape")])
        parts += delimited(EXTERNAL_DATA, pair)
    return parts
