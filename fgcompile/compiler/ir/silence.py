"""PyTorch's exporters print their progress, and warn of what is not the user's to change.

What other threads print meanwhile is none of that, and passes. Filters of warnings and levels of loggers are the
process's, so this is for who holds the turn (``turns``).
"""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, TextIO


@contextmanager
def silenced(name: str) -> Iterator[None]:
    """While it is open, the logger of that name reports errors alone, and nothing is printed and nothing warned of."""
    logger = logging.getLogger(name)
    level = logger.level
    with warnings.catch_warnings(), unprinted("stdout"):
        warnings.simplefilter("ignore")
        # A filter of a logger's does not see what the loggers below it report; they have its level.
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)


@contextmanager
def unprinted(name: Literal["stdout", "stderr"]) -> Iterator[None]:
    """While it is open, nothing that this thread prints to a standard stream appears."""
    stream: TextIO = getattr(sys, name)
    setattr(sys, name, _OfOthers(stream))
    try:
        yield
    finally:
        setattr(sys, name, stream)


FAKE_TENSORS = "torch._subclasses.fake_tensor"
"""The logger to which PyTorch writes the traceback of each operator that does not take its sizes, beside raising."""


@contextmanager
def unlogged(name: str) -> Iterator[None]:
    """While it is open, the logger of that name takes no record of this thread."""
    thread, logger = threading.get_ident(), logging.getLogger(name)

    def told(record: logging.LogRecord) -> bool:
        return record.thread != thread

    logger.addFilter(told)
    try:
        yield
    finally:
        logger.removeFilter(told)


class _OfOthers:
    """A stream that passes on what other threads than the present one write."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._thread = threading.get_ident()

    def write(self, text: str) -> int:
        """As of a text stream."""
        return len(text) if threading.get_ident() == self._thread else self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
