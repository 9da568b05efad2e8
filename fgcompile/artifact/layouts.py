"""Where an input's layout has its batch: ``"l n c"`` on the second axis."""

from __future__ import annotations

BATCH_LETTER = "n"
"""The batch in a layout."""


def written_axis(layout: str | None, rank: int) -> int:
    """The axis of the batch that an input's layout tells; 0 also where it fits no input of that rank."""
    names = [] if layout is None else layout.split()
    return names.index(BATCH_LETTER) if len(names) == rank and names.count(BATCH_LETTER) == 1 else 0
