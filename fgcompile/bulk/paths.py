"""Which images a run is about: files, folders and patterns become absolute paths, sorted, each once."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from fgcompile.errors import InputError

SUFFIXES = frozenset(
    {".avif", ".bmp", ".gif", ".jp2", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"},
)
"""What counts as an image in a folder; a file that is named itself may end in anything."""


def find_images(arguments: Sequence[str], without: Path) -> list[str]:
    """The images that files, folders (and all below them) and patterns name.

    Args:
        arguments: As ``photo.jpg``, ``photos``, ``photos/**/*.jpg``.
        without: A folder that is passed over: the results may lie among the images.

    Raises:
        InputError: An argument names no image, or a path is not UTF-8.
    """
    excluded = os.path.abspath(without)
    found: set[str] = set()
    for argument in arguments:
        images = {path for path in _expand(argument) if not path.startswith(f"{excluded}{os.sep}")}
        if not images:
            raise InputError(f"{argument}: no image is there: give files, folders or patterns as 'photos/**/*.jpg'")
        found |= images
    for path in found:
        try:
            path.encode()
        except UnicodeEncodeError:
            raise InputError(f"{os.fsencode(path)!r}: this name is not UTF-8: rename the file") from None
    return sorted(found)


def _expand(argument: str) -> Iterator[str]:
    matches = [argument] if os.path.exists(argument) else glob.iglob(argument, recursive=True)
    for match in matches:
        path = os.path.abspath(match)
        if os.path.isdir(path):
            yield from _images_below(path)
        else:
            yield path


def _images_below(folder: str) -> Iterator[str]:
    for directory, _, names in os.walk(folder):
        for name in names:
            if os.path.splitext(name)[1].lower() in SUFFIXES and not name.startswith("."):
                yield os.path.join(directory, name)
