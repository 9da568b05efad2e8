"""Running out of memory is said in one line: only the words of PyTorch's and ONNX Runtime's errors tell that it is.

The checks need the most of it: they run the network and its gradient in float64, on several samples at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

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
            "out of memory: the checks run the model and its gradient in float64, on up to five samples; compile it "
            "for a smaller input, or where there is more memory"
        ) from error
