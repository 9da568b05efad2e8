"""The line that fixes a size is read in PyTorch's log, in this thread's part of it."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import torch
from torch import Tensor, nn
from torch.export import Dim

from fgcompile.compiler.capture.fixing_line import find_fixed_size
from fgcompile.compiler.capture.messages import SHAPES_LOGGER


class Fixed(nn.Module):
    """Takes batches of two alone."""

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(2, 12)


LINE = f"{__file__}:{Fixed.forward.__code__.co_firstlineno + 1}"


def export(model: nn.Module) -> None:
    torch.export.export(model, (torch.zeros(2, 3, 4),), dynamic_shapes=({0: Dim("batch")},), strict=False)


def test_pytorchs_own_log_names_the_line() -> None:
    """The real error, and the real record: where PyTorch words it otherwise, ``messages`` is to be mended."""
    assert find_fixed_size(partial(export, Fixed())) == LINE


def test_nothing_is_found_where_nothing_is_fixed() -> None:
    assert find_fixed_size(partial(export, nn.Flatten())) is None


class Messages(logging.Handler):
    """Keeps what is logged: records of PyTorch's loggers do not reach the root's handlers once it has set them up.

    Errors are logged whatever the command line, which another test may have called, has made of the levels.
    """

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def test_the_log_of_other_threads_is_their_own() -> None:
    logger, messages = logging.getLogger(SHAPES_LOGGER), Messages()
    level, filters = logger.level, list(logger.filters)
    logger.addHandler(messages)

    def meanwhile() -> None:
        with ThreadPoolExecutor(1) as other:
            other.submit(logger.error, "range_refined_to_singleton, said another").result()
            other.submit(logger.debug, "nor is this ours").result()
        logger.warning("range_refined_to_singleton, in this thread")

    try:
        place = find_fixed_size(meanwhile)
    finally:
        logger.removeHandler(messages)
    assert place == f"{__file__}:{meanwhile.__code__.co_firstlineno + 4}"
    assert messages.texts == ["range_refined_to_singleton, said another"]
    assert (logger.level, logger.filters) == (level, filters)
