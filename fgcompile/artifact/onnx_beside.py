"""An ONNX model whose weights lie beside it, in one file: that file's name changed, or the weights put into the model.

external_data = {location: a, offset, length}  →  {location: b, offset, length}
external_data = {location, offset, length}     →  raw_data = bytes
"""

from __future__ import annotations

from collections.abc import Callable

from fgcompile.artifact.onnx_container import DATA_LOCATION, EXTERNAL_DATA, LOCATION, RAW_DATA
from fgcompile.artifact.onnx_rewriting import Parts, Rewriting, Stretch, delimited, joined
from fgcompile.artifact.onnx_skeleton import placed
from fgcompile.artifact.protobuf import fields, spans
from fgcompile.artifact.seal import ENTRY_KEY, ENTRY_VALUE

Read = Callable[[int, int], bytes | memoryview | Stretch]
"""The bytes of the file of weights from an offset on, so many."""


def relocated(content: bytes, location: str) -> bytes:
    """The model, whose weights lie in a file that is called ``location``.

    Raises:
        ValueError: It is no protobuf message, or a tensor does not say where it lies.
    """
    return joined(_Elsewhere(content, location).whole())


def inlined(content: bytes, read: Read) -> Parts:
    """The parts of the model with its weights in it; errors as ``relocated``."""
    return _Inside(content, read).whole()


class _Beside(Rewriting):
    """Changes tensors that lie in another file, and leaves all else."""

    def leaves(self, start: int, end: int) -> bool:
        return self.content.find(LOCATION, start, end) < 0

    def place(self, start: int, end: int) -> dict[str, str]:
        """Where a tensor's bytes lie."""
        place = {}
        for field, entry in fields(self.view[start:end]):
            if field == EXTERNAL_DATA:
                pair = dict(fields(entry))
                key, value = (bytes(pair.get(part, b"")).decode() for part in (ENTRY_KEY, ENTRY_VALUE))
                place[key] = value
        return place

    def others(self, start: int, end: int) -> list[tuple[int, memoryview]]:
        """What else a tensor's message has: fields by their numbers, in their order."""
        own = (EXTERNAL_DATA, DATA_LOCATION)
        found = spans(self.view, start, end)
        return [(field, self.view[beginning:after]) for _, field, beginning, _, after in found if field not in own]


class _Elsewhere(_Beside):
    def __init__(self, content: bytes, location: str) -> None:
        super().__init__(content)
        self._location = location

    def tensor(self, start: int, end: int) -> Parts:
        place = self.place(start, end) | {"location": self._location}
        rest = [self.view[at:to] for _, field, at, _, to in spans(self.view, start, end) if field != EXTERNAL_DATA]
        last = [part for part in rest if part[0] >> 3 == DATA_LOCATION]
        return [*(part for part in rest if part[0] >> 3 != DATA_LOCATION), *placed(place), *last]


class _Inside(_Beside):
    def __init__(self, content: bytes, read: Read) -> None:
        super().__init__(content)
        self._read = read

    def tensor(self, start: int, end: int) -> Parts:
        place, others = self.place(start, end), self.others(start, end)
        data = self._read(int(place["offset"]), int(place["length"]))
        # Fields in the order of their numbers, as a serialiser writes them.
        before = [part for field, part in others if field < RAW_DATA]
        return [*before, *delimited(RAW_DATA, [data]), *(part for field, part in others if field > RAW_DATA)]
