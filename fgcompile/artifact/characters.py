"""Which characters the names and labels of an artifact may have: what ends a line or moves a cursor is in none."""

from __future__ import annotations

import re

from fgcompile.system.text import CONTROLS

_UNFIT = re.compile(f"[{CONTROLS}]")


def unfit_character(text: str) -> str | None:
    r"""The first character that no name and no label may have, as Python writes it: ``'\n'``; None if there is none."""
    found = _UNFIT.search(text)
    return None if found is None else ascii(found[0])
