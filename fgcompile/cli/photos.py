"""The photos that arguments name: files as they are given, and all of folders and patterns, as for ``batch``."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path


def find_photos(arguments: Sequence[str], without: Path) -> list[Path]:
    """The photos, in the order of the arguments, those of a folder or pattern by name.

    Args:
        arguments: Files, which need not be there: that is said of each; folders; patterns as ``photos/**/*.jpg``.
        without: A folder that is passed over: the pictures that are written may lie among the photos.

    Raises:
        InputError: A folder or a pattern has none.
    """
    return [photo for argument in arguments for photo in _photos(argument, without)]


def _photos(argument: str, without: Path) -> Iterator[Path]:
    from fgcompile.bulk.paths import find_images

    pattern = glob.has_magic(argument) and not os.path.exists(argument)
    if not pattern and not os.path.isdir(argument):
        yield Path(argument)
        return
    for image in find_images([argument], without).images:
        yield Path(image) if os.path.isabs(argument) else Path(os.path.relpath(image))
