"""Prepares candidates in processes of their own: compilers keep memory, which would be missing for what is timed."""

from __future__ import annotations

from typing import Any

from benchmarks.isolated import run_isolated
from benchmarks.workload import Workload, nothing

LIMIT = 3600.0
"""Seconds for exporting or compiling."""


def prepare_apart(workload: Workload, candidate: str) -> None:
    """Writes the files that a candidate reads, in a fresh process.

    Raises:
        IsolatedError: They cannot be made.
    """
    from benchmarks.candidates import CANDIDATES

    if CANDIDATES[candidate].prepare is not nothing:
        workload.network()  # the one network that all processes load
        arguments = {"workload": workload.as_json(), "candidate": candidate}
        run_isolated("benchmarks.preparation:prepare_here", arguments, LIMIT)


def prepare_here(workload: dict[str, Any], candidate: str) -> None:
    """As ``prepare_apart``, in this process."""
    from benchmarks.candidates import CANDIDATES

    CANDIDATES[candidate].prepare(Workload.from_json(workload))
