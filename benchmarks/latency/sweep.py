"""Goes through workloads, measuring those that are not yet on record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness.progress import Reporter
from benchmarks.latency.candidates import CANDIDATES
from benchmarks.latency.measurement import measure
from benchmarks.latency.records import Record, Subject, append_record, find_record
from benchmarks.latency.timing import Effort
from benchmarks.latency.workload import Workload


def subject_of(workload: Workload) -> Subject:
    """What tells the record of a workload from others."""
    return {
        "model": workload.model,
        "batch": workload.batch,
        "threads": workload.threads,
        "device": workload.device,
        "size": workload.size,
        "precision": workload.precision,
    }


def is_measured(record: Record | None, keys: Sequence[str], device: str) -> bool:
    """Whether a record has all candidates, but for those that could not run then and cannot now."""
    return record is not None and all(
        key in record.figures and ("skipped" not in record.figures[key] or CANDIDATES[key].missing(device) is not None)
        for key in keys
    )


def is_pending(store: Path, workload: Workload, keys: Sequence[str]) -> bool:
    """Whether some of the candidates on a workload are not on record."""
    return not is_measured(_known(store, workload), keys, workload.device)


def keep_measured(
    store: Path, workload: Workload, keys: Sequence[str], effort: Effort, memory: bool, report: Reporter
) -> None:
    """Measures candidates on a workload and stores the record, unless it is there.

    A record lacking some of the candidates is made anew, with those that it had: what a table compares took turns.
    """
    known = _known(store, workload)
    if is_measured(known, keys, workload.device):
        return
    wanted = {*keys, *(known.figures if known else ())}
    figures = measure(workload, [key for key in CANDIDATES if key in wanted], effort, memory, report)
    append_record(store, subject_of(workload), figures, workload.device)


def _known(store: Path, workload: Workload) -> Record | None:
    return find_record(store, subject_of(workload), workload.device)
