"""Prepares candidates in processes of their own: compilers keep memory, which would be missing for what is timed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

from benchmarks.harness.isolated import IsolatedError, run_isolated
from benchmarks.latency.workload import Workload, nothing

LIMIT = 3600.0
"""Seconds for exporting or compiling."""


def prepare_apart(workload: Workload, candidate: str) -> None:
    """Writes the files that a candidate reads, in a fresh process.

    Raises:
        IsolatedError: They cannot be made.
    """
    from benchmarks.latency.candidates import CANDIDATES

    if CANDIDATES[candidate].prepare is not nothing:
        workload.single().network()  # the one network that all processes load
        arguments = {"workload": workload.as_json(), "candidate": candidate}
        run_isolated("benchmarks.latency.preparation:prepare_here", arguments, LIMIT)


def prepare_all(workloads: Iterable[Workload], candidates: Iterable[str], processes: int) -> None:
    """Prepares candidates on workloads side by side; what fails is tried again, and reported, when it is measured."""
    from benchmarks.latency.candidates import CANDIDATES

    def prepare(workload: Workload, candidate: str) -> None:
        with contextlib.suppress(IsolatedError):
            prepare_apart(workload, candidate)

    distinct = {CANDIDATES[key].prepare: key for key in candidates}  # some read the same files
    with ThreadPoolExecutor(processes) as pool:
        for workload, candidate in product(workloads, distinct.values()):
            pool.submit(prepare, workload, candidate)


def prepare_here(workload: dict[str, Any], candidate: str) -> None:
    """As ``prepare_apart``, in this process."""
    from benchmarks.latency.candidates import CANDIDATES

    given = Workload.from_json(workload)
    given.set_up()
    CANDIDATES[candidate].prepare(given)
