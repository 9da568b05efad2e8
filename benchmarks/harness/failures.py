"""Why something that was tried did not work, in one line for a table."""

from __future__ import annotations

import signal
import sys

LONGEST_REASON = 300


def reason(error: BaseException) -> str:
    """An error in one line; every way of running out of memory reads the same, and so does a file wherever it lies."""
    text = str(error).strip()
    for folder in sorted(filter(None, sys.path), key=len, reverse=True):
        text = text.replace(f"{folder}/", "")
    if isinstance(error, MemoryError) or any(
        sign in text for sign in ("can't allocate memory", "bad_alloc", "bad alloc")
    ):
        return "out of memory"
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [""]
    said = " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]  # the cause follows what it announces
    return f"{type(error).__name__}: {said}"[:LONGEST_REASON]


def ending(code: int, stderr: str) -> str:
    """How a process ended that left no result."""
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    if "bad_alloc" in stderr or "MemoryError" in stderr:
        return "out of memory"
    lines = stderr.strip().splitlines()
    return lines[-1][:LONGEST_REASON] if lines else f"exit status {code}"
