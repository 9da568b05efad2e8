"""One compile at a time in a process: threads that compile take turns.

PyTorch's own tools change the process while they work and put it back afterwards, in whatever order two of them end:
``ExportedProgram.run_decompositions``, within the exporter to ONNX too, the kernels of operators; tracers the methods
``__call__`` and ``__getattr__`` of ``torch.nn.Module``; ``torch.jit`` its table of classes; Inductor its options. We
set filters of warnings and levels of loggers, which are the process's too. So whoever captures, traces or emits holds
the lock; what runs a finished artifact, or the eager model, does not.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

_TURN = threading.RLock()


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """While it is open, other threads wait to open it; also a decorator."""
    with _TURN:
        yield
