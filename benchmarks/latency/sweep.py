"""Goes through workloads, measuring those that are not yet on record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.harness.records import Record, Subject, append_record, find_record, make_record, read_records
from benchmarks.latency.candidates import CANDIDATES
from benchmarks.latency.measurement import measure
from benchmarks.latency.timing import Effort
from benchmarks.latency.workload import Workload

Reporter = Callable[[str], None]


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
    append_record(store, make_record(subject_of(workload), figures, workload.device))


def _known(store: Path, workload: Workload) -> Record | None:
    return find_record(read_records(store), subject_of(workload), workload.device)


@contextmanager
def show_progress(name: str, total: int) -> Iterator[Callable[[str], Reporter]]:
    """A line on the terminal: call it with the title of what begins, and what it returns with each step of that."""
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(name, total=total, completed=-1)

        def begin(title: str) -> Reporter:
            progress.update(task, advance=1, description=title)
            return lambda step: progress.update(task, description=f"{title}: {step}")

        yield begin
        progress.update(task, completed=total)
