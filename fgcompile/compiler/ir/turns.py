"""One compile at a time in a process: threads that compile take turns.

PyTorch's own tools change the process while they work and put it back afterwards, in whatever order two of them end:
``ExportedProgram.run_decompositions``, within the exporter to ONNX too, the kernels of operators; tracers the methods
``__call__`` and ``__getattr__`` of ``torch.nn.Module``; ``torch.jit`` its table of classes; Inductor its options. We
set filters of warnings and levels of loggers, which are the process's too. So whoever captures, traces or emits holds
the lock; what runs a finished artifact, or the eager model, does not.

Meanwhile Python's collector looks at young objects only. A graph is a heap of nodes that refer to one another, alive as
long as its stage is: a full collection goes through all of them, and all that PyTorch has imported, to free next to
nothing, again and again while they grow.

A caller's ``torch.inference_mode`` is left meanwhile: under it there is no gradient, nor a graph to find one in.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch

_TURN = threading.RLock()

_NEVER = 2**31 - 1
"""A number of collections that none comes to."""


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """While it is open, other threads wait to open it, and no full collection begins by itself; also a decorator."""
    with _TURN, _young_collections(), torch.inference_mode(False):
        yield


@contextmanager
def _young_collections() -> Iterator[None]:
    """Puts off full collections; how often the others come stays the caller's own, and so does whether any do."""
    often, seldom, full = gc.get_threshold()
    gc.set_threshold(often, seldom, _NEVER)
    try:
        yield
    finally:
        gc.set_threshold(often, seldom, full)
