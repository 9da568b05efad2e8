"""Labelled photos that come with fgcompile; ``photos/SOURCES.md`` says whose they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent / "photos"


@dataclass(frozen=True)
class Picture:
    """A picture and its true class."""

    path: Path
    label: int


PHOTOS = (
    Picture(_FOLDER / "cat.jpg", 281),
    Picture(_FOLDER / "espresso.jpg", 967),
    Picture(_FOLDER / "rocket.jpg", 657),
)
"""A tabby cat, an espresso and a missile, as ImageNet's classes are called."""
