"""What capturing reads in a text of PyTorch's, since no type and no graph says it: the one place to mend."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SHAPES_LOGGER = "torch.fx.experimental.symbolic_shapes"
"""Where PyTorch logs what it finds out about symbolic sizes."""


def became_a_number(record: logging.LogRecord) -> bool:
    """Whether a record of that logger says that a symbol has a single value from now on (PyTorch 2.11 to 2.13)."""
    return "range_refined_to_singleton" in record.getMessage()


def _is_a_note(record: logging.LogRecord) -> bool:
    """Whether a record says what PyTorch did not find out about a size, which is the model's right or told anyway."""
    return str(record.msg).startswith(("Unable to find user code", "Failed to reduce inequalities"))


@contextmanager
def without_notes() -> Iterator[None]:
    """While it is open, such notes of this thread are not logged; all else that PyTorch says of sizes is."""
    thread, logger = threading.get_ident(), logging.getLogger(SHAPES_LOGGER)

    def told(record: logging.LogRecord) -> bool:
        return record.thread != thread or not _is_a_note(record)

    logger.addFilter(told)
    try:
        yield
    finally:
        logger.removeFilter(told)
