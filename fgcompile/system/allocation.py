"""How much of the memory that a process frees its allocator keeps for the next call."""

from __future__ import annotations

import numpy as np

_LARGEST = (32 << 20) - (64 << 10)
"""Bytes: a little less than the largest block, 32 MiB, that glibc learns from."""


def keep_freed_memory() -> None:
    """Has glibc keep up to 64 MiB of freed memory, from which it takes blocks of up to 32 MiB.

    At first it gives whatever lies behind the last block in use back to the system, beyond 128 KiB, and maps larger
    blocks one by one; both limits rise to what the process is seen to free (mallopt(3), ``M_MMAP_THRESHOLD``). A
    program that allocates all its intermediate tensors in each call then asks for the same pages each time, and the
    system clears them (``docs/decisions/freed-memory.md``). No page of the block is touched. Other allocators are not
    concerned.
    """
    np.empty(_LARGEST, np.uint8)
