"""Measures how the cost of an explanation grows: with batch, image size, depth, and that of compiling with the model,
with the length of a signal and with the steps of a recurrent network.

    python -m benchmarks.scaling [--sweeps batch size depth compiling length recurrent] [--runtimes onnxruntime …]
        [--report-only]

Needs the extras ``cpu`` and ``demo`` and the group ``bench``. One thread.
Works like ``benchmarks.latency``: each
measurement is a line of ``results/scaling.jsonl`` and is not made again on this machine with these versions;
``results/scaling.md`` and its plots are made of all lines.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.harness.environment import RESULTS
from benchmarks.harness.isolated import IsolatedError, run_isolated
from benchmarks.harness.progress import show_progress
from benchmarks.latency.candidates import choose
from benchmarks.latency.records import append_record, find_record, read_records
from benchmarks.latency.runtimes import RUNTIMES
from benchmarks.latency.sweep import keep_measured
from benchmarks.latency.timing import Effort
from benchmarks.latency.workload import Workload
from benchmarks.networks.architectures import ARCHITECTURES
from benchmarks.scaling.compiling import LIMIT
from benchmarks.scaling.report import write_report
from benchmarks.scaling.sweeps import COMPILED, COMPILING, LENGTH, LENGTHS, RECURRENT, SWEEPS, THREADS, UNROLLED


def main(arguments: list[str] | None = None) -> int:
    """Measures what is asked for and not yet known, and writes the report; returns the exit status."""
    options = _parse(arguments)
    store = options.results / "scaling.jsonl"
    keys = choose(options.runtimes, [])
    wanted = [] if options.report_only else options.sweeps
    # A point that several sweeps share is measured once.
    points = list(dict.fromkeys(point for sweep in SWEEPS if sweep.name in wanted for point in sweep.points.values()))
    compiled = options.compiled if COMPILING in wanted else []
    lengths = LENGTHS if LENGTH in wanted else ()
    unrolled = [(name, steps) for name, each in UNROLLED.items() for steps in each] if RECURRENT in wanted else []
    count = len(points) + len(compiled) + len(lengths) + len(unrolled)
    with show_progress("scaling", count) as begin, tempfile.TemporaryDirectory() as folder:
        for point in points:
            report = begin(f"{point.model}, batch {point.batch}, size {point.size}")
            home = Path(folder) / f"{point.model}-{point.size}"  # points that differ in their batch share an artifact
            home.mkdir(exist_ok=True)
            workload = Workload(point.model, point.batch, THREADS, home, size=point.size)
            keep_measured(store, workload, keys, Effort(repeats=options.repeats), memory=True, report=report)
        for model in compiled:
            begin(f"compile {model}")
            name, _, other = model.partition(".")
            subject = {"model": model, COMPILING: True}
            arguments = {"model": name, "format": other or "onnx"}
            _keep_compiling(store, subject, COMPILING, "compiling:measure_compiling", arguments)
        for length in lengths:
            begin(f"compile over {length} samples")
            _keep_compiling(store, {LENGTH: length}, LENGTH, "lengths:measure_length", {"length": length})
        for network, steps in unrolled:
            begin(f"compile {network} of {steps} steps")
            subject = {RECURRENT: network, "steps": steps}
            _keep_compiling(
                store, subject, RECURRENT, "recurrent:measure_recurrent", {"network": network, "steps": steps}
            )
    write_report(options.results, read_records(store))
    return 0


def _keep_compiling(
    store: Path, subject: dict[str, Any], name: str, function: str, arguments: Mapping[str, Any]
) -> None:
    """Measures a compilation and stores the record, unless it is there."""
    if find_record(store, subject) is not None:
        return
    try:
        figures = run_isolated(f"benchmarks.scaling.{function}", arguments, LIMIT)
    except IsolatedError as error:
        figures = {"failed": str(error)}
    append_record(store, subject, {name: figures})


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    names = [*(sweep.name for sweep in SWEEPS), COMPILING, LENGTH, RECURRENT]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--sweeps", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--runtimes", nargs="+", choices=RUNTIMES, default=["onnxruntime"], metavar="NAME")
    parser.add_argument("--compiled", nargs="+", choices=[*ARCHITECTURES, *COMPILED], default=COMPILED, metavar="NAME")
    parser.add_argument("--repeats", type=int, default=Effort().repeats, help="the most calls of a candidate")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder of the records and the report")
    parser.add_argument("--report-only", action="store_true", help="measure nothing, write the report again")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
