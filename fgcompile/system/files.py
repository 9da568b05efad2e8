"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fgcompile.errors import InputError, OutputError
from fgcompile.system.leftovers import new_partial, remove_leftovers


def path_of(given: object, what: str) -> Path:
    """A path as callers give it; ``what`` it is of, in messages.

    Raises:
        InputError: It is none.
    """
    if not isinstance(given, str | os.PathLike) or not isinstance(os.fspath(given), str):
        raise InputError(f"{what} is a {type(given).__name__}: give the path of one")
    if "\0" in os.fspath(given):
        raise InputError(f"{what} is {os.fspath(given)!r}: no path has a zero byte")
    return Path(given)


def write_atomically(path: str | Path, content: bytes) -> None:
    """Writes a file whole or not at all; a file that was there survives a failure.

    A file that is replaced keeps its mode; a new one has what the umask leaves. When this returns, the file and its
    name are on the disk.

    Raises:
        OutputError: The folder does not exist or cannot be written, or ``path`` is not a regular file.
    """
    with _explained(path), _beside(Path(os.path.realpath(path))) as (partial, target):
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            _keep_mode(target, partial)
            os.fsync(file.fileno())
        partial.replace(target)
        sync_folder(target.parent)


def write_together(path: str | Path, content: bytes, beside: str, source: Path) -> None:
    """Writes a file, and beside it under a name a copy of another: both whole, or neither.

    A process that is killed between the two leaves the new copy beside the old file. Errors as ``write_atomically``.
    """
    target = Path(os.path.realpath(path))
    with _explained(path), _beside(target.with_name(beside)) as (copy, other), _beside(target) as (partial, _):
        shutil.copyfile(source, copy)  # no link: what reads ONNX files suspects one of an attack
        partial.write_bytes(content)
        for file, replaced in ((copy, other), (partial, target)):
            _keep_mode(replaced, file)
            with file.open("rb+") as written:
                os.fsync(written.fileno())
        with _kept(other):
            copy.replace(other)
            partial.replace(target)
        sync_folder(target.parent)


@contextmanager
def _kept(path: Path) -> Iterator[None]:
    """What is at the path is there again if what runs within fails."""
    if not path.exists():
        try:
            yield
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return
    former = new_partial(path.parent)
    try:
        os.link(path, former)
    except OSError:  # a disk without links
        shutil.copyfile(path, former)
    try:
        yield
    except BaseException:
        former.replace(path)
        raise
    finally:
        former.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Writes a folder's names to the disk, where the system can: else a crash may lose a file that was renamed."""
    with suppress(OSError):  # Windows opens no folders, and some file systems sync none
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _keep_mode(target: Path, partial: Path) -> None:
    """Gives the file that is to replace another the other's mode, and its owner where this process may."""
    try:
        replaced = target.stat()
    except FileNotFoundError:
        return
    with suppress(OSError, AttributeError):  # to another owner only root may; Windows has none
        os.chown(partial, replaced.st_uid, replaced.st_gid)
    partial.chmod(stat.S_IMODE(replaced.st_mode))


def require_writable(path: str | Path) -> None:
    """Refuses, before the work, a path that no file could be written to once its folder is made; leaves nothing there.

    Raises:
        OutputError: As ``write_atomically``; or the folder cannot be made.
    """
    target = Path(os.path.realpath(path))
    missing = [folder for folder in target.parents if not folder.exists()]
    try:
        with _explained(path):
            for folder in reversed(missing):
                folder.mkdir()
            with _beside(target):
                pass
    finally:
        for folder in missing:
            with suppress(OSError):
                folder.rmdir()


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
    remove_leftovers(target.parent)
    partial = new_partial(target.parent)
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
