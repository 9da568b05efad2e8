"""Threads of a runtime do not survive a fork: whoever waits for them in the child waits for ever."""

from __future__ import annotations

import os

from fgcompile.errors import ArtifactError

_IMPORTED_IN = os.getpid()
"""The process that first opened an artifact: a child that differs was forked from it."""


def forked() -> bool:
    """Whether this process was forked from one that had opened artifacts."""
    return os.getpid() != _IMPORTED_IN


def refuse(runtime: str, remedy: str = "") -> None:
    """Raises ArtifactError: ``runtime`` would hang in this forked process; ``remedy`` is what else would help."""
    raise ArtifactError(
        f"this process was forked from one that had opened artifacts, and the threads of {runtime} end there: "
        f"start it by spawn or forkserver{remedy}"
    )
