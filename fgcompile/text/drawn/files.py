"""Explained texts as files: a page and a JSON of all of them, and a picture of each."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fgcompile.drawing.files import write_png
from fgcompile.errors import InputError
from fgcompile.system.files import make_directory, write_atomically
from fgcompile.text.drawn.page import draw_page
from fgcompile.text.drawn.picture import draw_text
from fgcompile.text.explained import ExplainedText

PAGE, NUMBERS = "explained.html", "explained.json"
"""The files that hold all texts."""


def write_text(explanation: ExplainedText, number: int, folder: Path) -> dict[str, Any]:
    """Writes the picture of one text, the ``number``-th from 1, and returns its record for ``write_all``."""
    picture = folder / f"text-{number}.png"
    write_png(draw_text(explanation), picture)
    return {**explanation.as_dict(), "page": str(folder / PAGE), "picture": str(picture)}


def write_all(
    explanations: Sequence[ExplainedText], records: Sequence[Mapping[str, Any]], folder: Path, title: str
) -> None:
    """Writes the page of all texts, and what there is to say of each, those too that could not be explained."""
    if explanations:
        write_atomically(folder / PAGE, draw_page(explanations, title).encode("utf-8", "replace"))
    numbers = json.dumps(records, indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(folder / NUMBERS, numbers.encode("utf-8", "replace"))


def save(explanations: Sequence[ExplainedText], folder: Path) -> list[dict[str, Any]]:
    """``TextExplanation.save``."""
    if not explanations:
        raise InputError("there are no texts to save: explain one first")
    make_directory(folder)
    records = [write_text(each, number, folder) for number, each in enumerate(explanations, start=1)]
    write_all(explanations, records, folder, "What each word adds")
    return records
