"""Files that options name: what is wrong with one is said in one line, with the option, before anything is loaded."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from fgcompile.errors import InputError
from fgcompile.text.tokenizer import FILE


def require_files(files: Mapping[str, Path | Sequence[Path] | None]) -> None:
    """Refuses what is no file that can be read, by the option that named it.

    Args:
        files: One, several or none, by the options' names, ``--labels``.

    Raises:
        InputError: One is not there, is a folder, a pipe or a device, cannot be read, or is empty.
    """
    for option, given in files.items():
        for path in [given] if isinstance(given, Path) else given or ():
            if why := _why_none(path):
                raise InputError(f"{option} {path}: {why}")


def require_tokenizer(option: str, path: Path | None) -> None:
    """Refuses what is neither a file nor a folder with one of the name that tokenizers have.

    Raises:
        InputError: As ``require_files``.
    """
    if path is not None and path.is_dir() and not (path / FILE).exists():
        raise InputError(f"{option} {path}: a folder without {FILE}: give that file, or the folder that has it")
    require_files({option: path / FILE if path is not None and path.is_dir() else path})


def _why_none(path: Path) -> str | None:
    if path.is_dir():
        return "a folder: give the file"
    if not os.path.lexists(path):
        return "no such file"
    if not path.is_file():
        return "a link to nothing" if path.is_symlink() and not path.exists() else "a pipe or a device, not a file"
    if not os.access(path, os.R_OK):
        return "cannot be read, for lack of permission"
    return "the file is empty" if not path.stat().st_size else None
