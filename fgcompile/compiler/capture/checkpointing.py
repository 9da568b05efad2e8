"""Reentrant checkpointing is captured as what it computes.

    checkpoint(f, x, use_reentrant=True)  →  f(x)

Its forward runs under ``torch.no_grad``, and its own backward computes it again; an export keeps the first alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch.utils.checkpoint import CheckpointFunction

from fgcompile.compiler.ir.torch_internals import checkpoints_by


@contextmanager
def unchecked() -> Iterator[None]:
    """While it is open, checkpoints of this thread call their function; those of others save memory as ever."""
    thread = threading.get_ident()
    apply: Callable[..., Any] = CheckpointFunction.apply

    def call(function: Callable[..., Any], preserve: bool, *arguments: Any) -> Any:
        if threading.get_ident() == thread:
            return function(*arguments)
        return apply(function, preserve, *arguments)

    with checkpoints_by(call):
        yield
