"""Which characters the names and labels of an artifact may have: what ends a line or moves a cursor is in none."""

from __future__ import annotations

import re

# The control characters of ASCII and Latin 1, what ends a line or a paragraph in Unicode, what turns the direction of
# writing, and halves of surrogate pairs, which no encoding has.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def unfit_character(text: str) -> str | None:
    r"""The first character that no name and no label may have, as Python writes it: ``'\n'``; None if there is none."""
    found = _UNFIT.search(text)
    return None if found is None else ascii(found[0])
