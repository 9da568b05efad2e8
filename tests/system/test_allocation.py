"""What a process frees is there for its next call, in pages that the system need not clear again."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

CALLS = """
import resource
import sys

import numpy as np

if sys.argv[1] == "keep":
    from fgcompile.system.allocation import keep_freed_memory

    keep_freed_memory()


def call():
    held = [np.ones(1 << 20, np.float32) for _ in range(6)]
    for array in held:
        array += 1


for _ in range(3):
    call()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    call()
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 10)
"""


def faults(how: str) -> float:
    """Pages that the system handed out in a call, of 6 × 4 MiB."""
    done = subprocess.run([sys.executable, "-c", CALLS, how], capture_output=True, text=True, check=True)
    return float(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="of glibc's allocator")
def test_freed_pages_are_kept() -> None:
    assert faults("keep") < 100
    assert faults("leave") > 1000  # or the block is of no use any more
