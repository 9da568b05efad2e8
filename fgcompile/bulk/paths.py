"""Which images a run is about: files, folders and patterns become absolute paths, sorted, each once."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fgcompile.drawing.files import is_own
from fgcompile.errors import InputError
from fgcompile.system.text import visible

SUFFIXES = frozenset(
    {".avif", ".bmp", ".dcm", ".gif", ".jp2", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"},
)
"""What counts as an image in a folder; a file that is named itself may end in anything."""

_NAMED, _MET, _OTHER = "named", "met", "other"


@dataclass(frozen=True)
class Found:
    """What arguments name.

    Attributes:
        images: Absolute, sorted, each once.
        passed_over: Other files in their folders.
        own: Pictures there that fgcompile wrote, which are passed over too.
    """

    images: list[str]
    passed_over: int
    own: int


def find_images(arguments: Sequence[str], without: Path) -> Found:
    """The images that files, folders (and all below them) and patterns name.

    Args:
        arguments: As ``photo.jpg``, ``photos``, ``photos/**/*.jpg``.
        without: A folder that is passed over: the results may lie among the images.

    Pictures that fgcompile wrote elsewhere are passed over as well, unless a file is named itself.

    Raises:
        InputError: An argument names no image, or a path is not UTF-8.
    """
    excluded = os.path.abspath(without)
    found: set[str] = set()
    others: set[str] = set()
    own: set[str] = set()
    for argument in arguments:
        entries = set(_expand(argument))
        there = {path for path, kind in entries if kind != _OTHER}
        written = {path for path in there if path.startswith(f"{excluded}{os.sep}")}
        drawn = {path for path, kind in entries if kind == _MET and path not in written and is_own(path)}
        images = there - written - drawn
        if not images:
            raise InputError(f"{visible(argument)}: {_why_none(len(written), len(drawn), without)}")
        found |= images
        own |= written | drawn
        others |= {path for path, kind in entries if kind == _OTHER and not path.startswith(f"{excluded}{os.sep}")}
    for path in found:
        try:
            path.encode()
        except UnicodeEncodeError:
            raise InputError(f"{os.fsencode(path)!r}: this name is not UTF-8: rename the file") from None
    return Found(sorted(found), len(others - found), len(own - found))


def _why_none(written: int, drawn: int, without: Path) -> str:
    """Why no image is left."""
    if written:
        return (
            f"its images are in {visible(str(without))}, which is written to and so passed over: give another folder "
            "to write to, --output"
        )
    if drawn:
        return "its images are pictures that fgcompile wrote, which are passed over: name each to explain them"
    return "no image is there: give files, folders or patterns as 'photos/**/*.jpg'"


def _expand(argument: str) -> Iterator[tuple[str, str]]:
    """Each file, and whether it was named, was met in a folder or by a pattern as an image, or is none."""
    named = os.path.exists(argument)
    for match in [argument] if named else glob.iglob(argument, recursive=True):
        path = os.path.abspath(match)
        if os.path.isdir(path):
            yield from _files_below(path)
        else:
            yield path, _NAMED if named else _MET


def _files_below(folder: str) -> Iterator[tuple[str, str]]:
    for directory, _, names in os.walk(folder):
        for name in names:
            is_image = os.path.splitext(name)[1].lower() in SUFFIXES and not name.startswith(".")
            yield os.path.join(directory, name), _MET if is_image else _OTHER
