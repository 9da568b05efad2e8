"""Where a model turns a size that is to be dynamic into a constant: the line of the user's code, for the message."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable

from fgcompile.compiler.capture.messages import SHAPES_LOGGER, became_a_number
from fgcompile.compiler.capture.user_code import calling_line


def find_fixed_size(export: Callable[[], object]) -> str | None:
    """Exports once more, and returns ``file:line`` of the model's code that fixes a size, or None if it is not seen.

    PyTorch's error names the dimension but not the code. Its log says when a symbol gets a single value, while the code
    that made it so is still on the stack: a filter on the logger sees each record there, before any handler.

    Args:
        export: The export that failed because a size became a constant.
    """
    logger = logging.getLogger(SHAPES_LOGGER)
    level, places = logger.level, _Places(logger.getEffectiveLevel())
    logger.addFilter(places)
    logger.setLevel(min(logging.INFO, logger.getEffectiveLevel()))
    try:
        with contextlib.suppress(Exception):  # the same failure once more
            export()
    finally:
        logger.removeFilter(places)
        logger.setLevel(level)
    return places.first


class _Places(logging.Filter):
    """Notes the innermost line of neither PyTorch nor fgcompile at which a symbol first became a constant.

    Of this thread nothing is logged, since the first export has logged it; of others, what would be anyway.
    """

    first: str | None = None

    def __init__(self, level: int) -> None:
        super().__init__()
        self._level = level
        self._thread = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.thread != self._thread:
            return record.levelno >= self._level
        if self.first is None and became_a_number(record):
            # From the logger's own call outwards, PyTorch's frames come first, then the model's, then ours.
            place = calling_line()
            if place is not None:
                self.first = str(place)
        return False
