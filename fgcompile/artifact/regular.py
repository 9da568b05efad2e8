"""The bytes of a regular file: what never ends, such as a pipe or a device, is refused before it is waited for."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO


def read_regular(path: str | Path) -> bytes:
    """A file's bytes; links are followed.

    Raises:
        OSError: It cannot be read, or is no regular file.
    """
    with open_regular(path) as file:
        return file.read()


def open_regular(path: str | Path) -> BinaryIO:
    """A file, to read; links are followed, errors as ``read_regular``."""
    # Without ``O_NONBLOCK``, opening a pipe waits for a writer: looking first and opening then would leave a moment
    # in which the file becomes one.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    file = open(descriptor, "rb")  # noqa: SIM115 - whoever reads it closes it
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "a pipe or a device, not a file")
    except OSError:
        file.close()
        raise
    return file
