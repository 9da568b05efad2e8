"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path

from fgcompile.errors import OutputError


def write_atomically(path: str | Path, content: bytes) -> None:
    """Writes a file whole or not at all; a file that was there survives a failure.

    Raises:
        OutputError: The folder does not exist or cannot be written, or ``path`` is not a regular file.
    """
    try:
        _replace(Path(os.path.realpath(path)), content)
    except FileNotFoundError as error:
        raise OutputError(f"{path}: its folder does not exist: create it first") from error
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}): give another path") from error


def _replace(target: Path, content: bytes) -> None:
    """Replaces ``target``, a regular file or nothing yet, by way of a file beside it."""
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if target.exists() and not target.is_file():
        raise OSError(errno.EEXIST, "a device, not a file")
    partial = target.with_name(f".fgcompile-{secrets.token_hex(8)}.part")
    partial.touch(exist_ok=False)
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def make_directory(directory: Path) -> None:
    """Creates an output folder and its parents.

    Raises:
        OutputError: It cannot be created, or is a file.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{directory}: cannot be made a folder ({error.strerror}): give another path") from error
