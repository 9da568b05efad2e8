"""The photos that arguments name: files as they are given, and all of folders and patterns, as for ``batch``."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path


def find_photos(arguments: Sequence[str], without: Path) -> tuple[list[Path], int]:
    """The photos, in the order of the arguments, those of a folder or pattern by name; how many were passed over.

    Args:
        arguments: Files, which need not be there: that is said of each; folders; patterns as ``photos/**/*.jpg``.
        without: A folder that is passed over: the pictures that are written may lie among the photos. So are pictures
            that fgcompile wrote elsewhere, unless they are named.

    Raises:
        InputError: A folder or a pattern has none.
    """
    photos, own = [], 0
    for argument in arguments:
        found, passed_over = _photos(argument, without)
        photos += found
        own += passed_over
    return photos, own


def _photos(argument: str, without: Path) -> tuple[list[Path], int]:
    from fgcompile.bulk.paths import find_images

    pattern = glob.has_magic(argument) and not os.path.exists(argument)
    if not pattern and not os.path.isdir(argument):
        return [Path(argument)], 0
    found = find_images([argument], without)
    return [Path(each) if os.path.isabs(argument) else Path(os.path.relpath(each)) for each in found.images], found.own
