"""Memory is given back between stages, and running out of it said in one line.

Only the words of PyTorch's and ONNX Runtime's errors tell that it is. The checks need the most: they run the network
and its gradient in float64, on several samples at once, and the artifact in its runtime.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from torch import nn

from fgcompile.errors import FgcompileError, VerificationError

_SIGNS = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "failed to allocate memory",
    "bad alloc",
    "bad_alloc",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory could not be allocated."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or (
        not isinstance(error, FgcompileError) and any(sign in text for sign in _SIGNS)
    )


LARGE = 2**28
"""Bytes of weights below which looking for what is not used takes longer than it is worth."""


def release_memory(of: nn.Module) -> None:
    """Gives the system back what is not used any more: graphs, which refer to themselves, and what is freed.

    glibc keeps freed memory of less than 32 MiB a piece for whoever asks for some next. Where the module has few
    weights, nothing is done.
    """
    if sum(value.nbytes for value in of.buffers()) < LARGE:
        return
    gc.collect()
    with suppress(OSError, AttributeError, TypeError):  # another C library, or Windows
        ctypes.CDLL(None).malloc_trim(0)


@contextmanager
def within_memory() -> Iterator[None]:
    """What runs within ends in one line where memory does.

    Raises:
        VerificationError: It does.
    """
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise VerificationError(
            "out of memory: the checks run the model and its gradient in float64, on several samples; compile it for a "
            "smaller input, or where there is more memory"
        ) from error
