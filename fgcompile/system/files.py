"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fgcompile.errors import OutputError


def write_atomically(path: str | Path, content: bytes) -> None:
    """Writes a file whole or not at all; a file that was there survives a failure.

    Raises:
        OutputError: The folder does not exist or cannot be written, or ``path`` is not a regular file.
    """
    with _explained(path), _beside(Path(os.path.realpath(path))) as (partial, target):
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)


def require_writable(path: str | Path) -> None:
    """Refuses, before the work, a path that no file could be written to; leaves nothing there.

    Raises:
        OutputError: As ``write_atomically``.
    """
    with _explained(path), _beside(Path(os.path.realpath(path))):
        pass


@contextmanager
def _explained(path: str | Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        folder = Path(path).absolute().parent
        if folder.is_dir():  # which takes no new files, such as /proc
            raise OutputError(f"{path}: cannot be written (its folder takes no files): give another path") from error
        raise OutputError(f"{path}: its folder does not exist: create it first") from error
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}): give another path") from error


@contextmanager
def _beside(target: Path) -> Iterator[tuple[Path, Path]]:
    """An empty file beside ``target``, which is a regular file or nothing yet, and ``target``; gone at the end."""
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if target.exists() and not target.is_file():
        raise OSError(errno.EEXIST, "a device, not a file")
    partial = target.with_name(f".fgcompile-{secrets.token_hex(8)}.part")
    partial.touch(exist_ok=False)
    try:
        yield partial, target
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
