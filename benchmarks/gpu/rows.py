"""The rows in order of importance, as many as fit into the time that is left, each printed as it comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.progress import Reporter
from benchmarks.latency.candidates import CANDIDATES
from benchmarks.latency.measurement import timing_of
from benchmarks.latency.preparation import prepare_all
from benchmarks.latency.records import Record, find_record
from benchmarks.latency.report import forward_key, ratio, remark
from benchmarks.latency.sweep import is_pending, keep_measured, subject_of
from benchmarks.latency.timing import Effort
from benchmarks.latency.workload import Workload

MODELS = ("resnet50", "vit_b_16", "mobilenet_v2", "convnext_tiny")

SETTINGS = (("float32", 1), ("float16", 1), ("tf32", 1), ("float32", 32), ("float16", 32), ("tf32", 32))
"""Precision and batch: every network in the first before any in the next."""

KEYS = (
    *("onnxruntime-graph.forward", "onnxruntime-graph.fused", "torchscript-graph.forward", "torchscript-graph.fused"),
    *("aotinductor-graph.forward", "aotinductor-graph.fused", "onnxruntime.forward", "onnxruntime.fused"),
    *("eager.forward", "hooks", "grad-cam", "compiled"),
)
"""What is measured on each."""

WITHOUT_CARD = ("onnxruntime.forward", "onnxruntime.fused", "torchscript.fused")
"""Candidates whose files can be made where there is no card; those of AOTInductor and of the traced model cannot."""

LEAST_SECONDS = 45.0
"""No row is begun with less time left."""


@dataclass(frozen=True)
class Run:
    """How rows are measured.

    Attributes:
        store: The file of the records.
        keys: The candidates.
        effort: How much time to spend on each.
        memory: Whether to measure memory.
        processes: How many prepare the files of a row side by side.
        until: When to begin no other row, by ``time.monotonic``.
    """

    store: Path
    keys: Sequence[str]
    effort: Effort
    memory: bool
    processes: int
    until: float


def workloads(
    models: Iterable[str], settings: Iterable[tuple[str, int]], folder: Path, device: str, size: int | None
) -> list[Workload]:
    """The rows in their order."""
    networks = list(models)
    found = []
    for precision, batch in settings:
        for model in networks:
            own = folder / model / str(size or "")
            own.mkdir(parents=True, exist_ok=True)
            found.append(Workload(model, batch, 1, own, device, size, precision))
    return found


def measure_rows(
    rows: Sequence[Workload], run: Run, begin: Callable[[str], Reporter], show: Callable[[str], None]
) -> int:
    """Measures the rows that are not on record, and shows every one; how many of them are left for another time."""
    for number, workload in enumerate(rows):
        if is_pending(run.store, workload, run.keys):
            if run.until - time.monotonic() < LEAST_SECONDS:
                return len(rows) - number
            report = begin(title(workload))
            report("prepare all")
            prepare_all([workload], run.keys, run.processes)
            keep_measured(run.store, workload, run.keys, run.effort, run.memory, report)
        record = find_record(run.store, subject_of(workload), workload.device)
        assert record is not None
        show(as_text(record, title(workload)))
    return 0


def title(workload: Workload) -> str:
    """What a row is called."""
    return f"{workload.model}, batch {workload.batch}, {workload.precision}"


def as_text(record: Record, heading: str) -> str:
    """A record for the terminal, a line for each candidate: milliseconds, forwards, images a second, megabytes."""
    lines = [heading]
    for key, figures in record.figures.items():
        name = f"  {CANDIDATES[key].runtime}: {CANDIDATES[key].label}"
        timing = timing_of(figures)
        if timing is None:
            lines.append(f"{name}: {remark(figures)}")
            continue
        forwards = ratio(record.figures, key, forward_key(key))
        parts = [f"{timing.median:.2f} ms"]
        parts += [] if forwards is None else [f"{forwards:.2f} × forward"]
        parts += [f"{1e3 * record.subject['batch'] / timing.median:.0f} images/s"]
        parts += [f"{figures['call_megabytes']:.0f} MB"] if "call_megabytes" in figures else []
        lines.append(f"{name}: {', '.join(parts)}")
    return "\n".join(lines)
