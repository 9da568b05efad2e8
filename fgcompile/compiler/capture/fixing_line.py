"""Where a model turns a size that is to be dynamic into a constant: the line of the user's code, for the message."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable
from pathlib import Path

import torch

_LOGGER = "torch.fx.experimental.symbolic_shapes"
_OTHERS_CODE = (str(Path(torch.__file__).parent), str(Path(__file__).parents[2]), contextlib.__file__, logging.__file__)


def find_fixed_size(export: Callable[[], object]) -> str | None:
    """Exports once more, and returns ``file:line`` of the model's code that fixes a size, or None if it is not seen.

    PyTorch's error names the dimension but not the code. Its log says when a symbol gets a single value, while the code
    that made it so is still on the stack.

    Args:
        export: The export that failed because a size became a constant.
    """
    logger, places = logging.getLogger(_LOGGER), _Places()
    level, propagate = logger.level, logger.propagate
    others, logger.handlers = logger.handlers, [places]
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        with contextlib.suppress(Exception):  # the same failure once more
            export()
    finally:
        logger.handlers, logger.propagate = others, propagate
        logger.setLevel(level)
    return places.first


class _Places(logging.Handler):
    """Notes the innermost line of neither PyTorch nor fgcompile at which a symbol first became a constant."""

    first: str | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if self.first is not None or "range_refined_to_singleton" not in record.getMessage():
            return
        frame = sys._getframe()
        while frame is not None and frame.f_code.co_filename.startswith(_OTHERS_CODE):
            frame = frame.f_back  # type: ignore[assignment]
        if frame is not None:
            self.first = f"{frame.f_code.co_filename}:{frame.f_lineno}"
