"""How much memory a call needs, beyond what is resident once everything is loaded."""

from __future__ import annotations

import ctypes
import sys
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.harness.isolated import run_isolated
from benchmarks.latency.workload import Call, Workload

CALLS = 3
ENOUGH = 5.0
"""Seconds after which no further call is made."""

LIMIT = 900.0
"""Seconds for loading a candidate, compiling with ``torch.compile`` included, and its calls."""


def memory_of(workload: Workload, candidate: str) -> dict[str, float]:
    """Megabytes before and during the first calls of a candidate, in a fresh process; its files must be prepared.

    Returns:
        ``loaded_megabytes``: the resident memory when the candidate is loaded: weights, libraries, Python.
        ``call_megabytes``: the peak of the resident memory during the first calls, less that. On a GPU: how much the
        device's used memory has grown by them, allocators keeping what they once had.

    Raises:
        IsolatedError: The candidate does not work.
    """
    arguments = {"workload": workload.as_json(), "candidate": candidate}
    measured: dict[str, float] = run_isolated("benchmarks.latency.memory:measure_memory", arguments, LIMIT)
    return measured


def measure_memory(workload: dict[str, Any], candidate: str) -> dict[str, float]:
    """As ``memory_of``, in this process, which must be a fresh one on Linux."""
    from benchmarks.latency.candidates import CANDIDATES

    work = Workload.from_json(workload)
    work.set_up()
    call = CANDIDATES[candidate].load(work)
    before, during = _device_memory(call) if work.device == "cuda" else resident_memory(call)
    return {"loaded_megabytes": before / 1e6, "call_megabytes": (during - before) / 1e6}


def resident_memory(call: Call) -> tuple[int, int]:
    _return_freed_memory()
    Path("/proc/self/clear_refs").write_text("5")  # sets the peak to what is resident now: proc_pid_clear_refs(5)
    before = _status("VmRSS")
    _repeat(call)
    return before, _status("VmHWM")


def _device_memory(call: Call) -> tuple[int, int]:
    free, _ = torch.cuda.mem_get_info()
    _repeat(call)
    torch.cuda.synchronize()
    left, total = torch.cuda.mem_get_info()
    return total - free, total - left


def _repeat(call: Call) -> None:
    """Calls until memory has settled: some allocators take more in the second call."""
    start = time.perf_counter()
    for _ in range(CALLS):
        call()
        if time.perf_counter() - start > ENOUGH:
            break


def _return_freed_memory() -> None:
    """Memory that loading freed but the allocator kept would hide what a call needs."""
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)


def _status(field: str) -> int:
    """A field of /proc/self/status that is given in kB, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(field)).split()[1])
