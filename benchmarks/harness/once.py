"""Files that several processes want and one makes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from filelock import FileLock


def once(path: Path, write: Callable[[Path], object]) -> Path:
    """A file that ``write`` makes unless it is there; another process that wants it meanwhile waits."""
    with FileLock(f"{path}.lock"):
        if not path.exists():
            write(path)
    return path
