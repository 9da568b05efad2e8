"""Which images a run is about: files, folders and patterns become absolute paths, sorted, each once."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fgcompile.errors import InputError
from fgcompile.system.text import visible

SUFFIXES = frozenset(
    {".avif", ".bmp", ".dcm", ".gif", ".jp2", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"},
)
"""What counts as an image in a folder; a file that is named itself may end in anything."""


@dataclass(frozen=True)
class Found:
    """What arguments name.

    Attributes:
        images: Absolute, sorted, each once.
        passed_over: Other files in their folders.
    """

    images: list[str]
    passed_over: int


def find_images(arguments: Sequence[str], without: Path) -> Found:
    """The images that files, folders (and all below them) and patterns name.

    Args:
        arguments: As ``photo.jpg``, ``photos``, ``photos/**/*.jpg``.
        without: A folder that is passed over: the results may lie among the images.

    Raises:
        InputError: An argument names no image, or a path is not UTF-8.
    """
    excluded = os.path.abspath(without)
    found: set[str] = set()
    others: set[str] = set()
    for argument in arguments:
        everything = set(_expand(argument))
        entries = {entry for entry in everything if not entry[0].startswith(f"{excluded}{os.sep}")}
        images = {path for path, is_image in entries if is_image}
        if not images and any(is_image for _, is_image in everything):
            raise InputError(
                f"{visible(argument)}: its images are in {visible(str(without))}, which is written to and so passed "
                "over: give another folder to write to, --output"
            )
        if not images:
            raise InputError(
                f"{visible(argument)}: no image is there: give files, folders or patterns as 'photos/**/*.jpg'"
            )
        found |= images
        others |= {path for path, is_image in entries if not is_image}
    for path in found:
        try:
            path.encode()
        except UnicodeEncodeError:
            raise InputError(f"{os.fsencode(path)!r}: this name is not UTF-8: rename the file") from None
    return Found(sorted(found), len(others - found))


def _expand(argument: str) -> Iterator[tuple[str, bool]]:
    """Each file, and whether it counts as an image."""
    matches = [argument] if os.path.exists(argument) else glob.iglob(argument, recursive=True)
    for match in matches:
        path = os.path.abspath(match)
        if os.path.isdir(path):
            yield from _files_below(path)
        else:
            yield path, True


def _files_below(folder: str) -> Iterator[tuple[str, bool]]:
    for directory, _, names in os.walk(folder):
        for name in names:
            is_image = os.path.splitext(name)[1].lower() in SUFFIXES and not name.startswith(".")
            yield os.path.join(directory, name), is_image
