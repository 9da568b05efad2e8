"""The bytes of a regular file: what never ends, such as a pipe or a device, is refused before it is waited for."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def read_regular(path: str | Path) -> bytes:
    """A file's bytes; links are followed.

    Raises:
        OSError: It cannot be read, or is no regular file.
    """
    # Without ``O_NONBLOCK``, opening a pipe waits for a writer: looking first and opening then would leave a moment
    # in which the file becomes one.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "a pipe or a device, not a file")
        return file.read()
