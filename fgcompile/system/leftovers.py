"""What a process that was killed left behind, found by its name and removed by the next one.

Files and folders that are not whole yet are called ``.fgcompile-HOST-PID-….part``, and unpacked ones in the system's
folder for temporary files ``fgcompile-HOST-PID-…``. They are left alone while their process lives; whether one on
another machine does cannot be seen, so that what such a one made is left alone for a day.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import os
import re
import secrets
import shutil
import socket
import stat
import sys
import tempfile
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "fgcompile"
_NAMED = re.compile(r"\.?fgcompile-(?P<host>[0-9a-f]{8})-(?P<process>\d{1,10})-[\w]+(\.part)?")
_DAY = 24 * 3600.0


def new_partial(folder: Path) -> Path:
    """A name in the folder for what is not whole yet; nobody else has it."""
    return folder / f".{_own()}{secrets.token_hex(8)}.part"


@contextmanager
def temporary_folder() -> Iterator[str]:
    """A folder that is gone at the end, or, if this process is killed, when the next one asks for a folder."""
    remove_leftovers(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=_own()) as folder:
        yield folder


def folder_of(owner: object, folder: Path) -> None:
    """Removes a folder when its owner is no more, at the latest when this process ends."""
    weakref.finalize(owner, _remove_of, os.getpid(), folder)


def new_folder() -> Path:
    """A folder for temporary files; if this process is killed, gone when the next one asks for a folder."""
    remove_leftovers(Path(tempfile.gettempdir()))
    return Path(tempfile.mkdtemp(prefix=_own()))


def lasting_folder() -> Path:
    """A folder for as long as this process lives; if it is killed, gone when the next one asks for a folder."""
    folder = new_folder()
    atexit.register(_remove_of, os.getpid(), folder)
    return folder


def _remove_of(process: int, folder: Path) -> None:
    if os.getpid() == process:  # what was forked from it ends too, and may do so first
        shutil.rmtree(folder, ignore_errors=True)


@functools.lru_cache(maxsize=1000)
def remove_leftovers(folder: Path) -> None:
    """Removes what processes that are no more left in a folder; what cannot be removed is left.

    A process looks into a folder once: it may write a hundred thousand files there.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith((f".{_PREFIX}-", f"{_PREFIX}-")) and _is_left(entry):
                _remove(entry)


def _own() -> str:
    return f"{_PREFIX}-{_host()}-{os.getpid()}-"


@functools.cache
def _host() -> str:
    """This machine, or this container: process numbers are of one."""
    namespace = ""
    with suppress(OSError):
        namespace = os.readlink("/proc/self/ns/pid")
    return hashlib.sha256(f"{socket.gethostname()} {namespace}".encode()).hexdigest()[:8]


def _is_left(entry: os.DirEntry[str]) -> bool:
    found = _NAMED.fullmatch(entry.name)
    if found is None:
        return False
    state = entry.stat(follow_symlinks=False)
    if hasattr(os, "getuid") and state.st_uid != os.getuid():
        return False
    if not (stat.S_ISREG(state.st_mode) or stat.S_ISDIR(state.st_mode)):
        return False
    if found["host"] != _host() or sys.platform == "win32":  # where to ask for a process would end it
        return time.time() - state.st_mtime > _DAY
    return not _lives(int(found["process"]))


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # it is another user's
        return True
    return True


def _remove(entry: os.DirEntry[str]) -> None:
    with suppress(OSError):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            os.unlink(entry.path)
