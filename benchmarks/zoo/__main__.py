"""Tries the compiler on the zoo: what is captured, complete, and compiled to which format; and if not, why not.

    python -m benchmarks.zoo [--only PATTERN] [--again [NAME …]] [--eager] [--jobs 1] [--limit 600]

Needs the extras ``cpu`` and ``demo`` and the group ``zoo``. Every network is measured in its own process
(``benchmarks.zoo.measure``), with a limit on its memory and time. Records are appended to ``results/zoo.jsonl`` as
they come, and a later run measures only what is missing or was measured with other versions; ``results/zoo.md`` is
written after each network.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.harness.environment import RESULTS
from benchmarks.harness.failures import ending
from benchmarks.harness.records import Result, Store
from benchmarks.zoo.measure import all_stages
from benchmarks.zoo.models import ZOO
from benchmarks.zoo.report import Record, status, write_report

PACKAGES = ("torch", "torchvision", "timm", "transformers", "onnx", "onnxscript", "onnxruntime")
STORE = Store(RESULTS / "zoo.jsonl", ("name", "machine", "versions"), PACKAGES)


def measure(name: str, stages: Sequence[str], limit: float, memory: int) -> Record:
    """Measures a network in a process of its own.

    Args:
        name: Its key in the zoo.
        stages: The stages to try.
        limit: Seconds after which the process is stopped.
        memory: Limit of its address space, in GiB.
    """
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.zoo.measure", name, "--memory", str(memory)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    with tempfile.TemporaryDirectory() as folder:
        events = Path(folder) / "events.jsonl"
        events.touch()
        try:
            done = subprocess.run(
                [*command, "--events", str(events), "--stages", *stages],
                env=environment,
                timeout=limit,
                capture_output=True,
                text=True,
                check=False,
            )
            outcome = ending(done.returncode, done.stderr)
        except subprocess.TimeoutExpired:
            outcome = f"no result after {limit:.0f} s"
        return _record(name, stages, [json.loads(line) for line in events.read_text().splitlines()], outcome)


def _record(name: str, stages: Sequence[str], events: list[dict[str, Any]], outcome: str) -> Record:
    record = Record(name=name, stages=list(stages))
    for event in events:
        match event["event"]:
            case "begun":
                record.failures[event["stage"]] = outcome  # unless a later event says otherwise
            case "done":
                del record.failures[event["stage"]]
                record.figures[event["stage"]] = event["figures"]
            case "failed":
                record.failures[event["stage"]] = event["reason"]
            case "end":
                record.peak_megabytes = event["peak_megabytes"]
    if not events:
        record.failures[stages[0]] = outcome
    return record


def load_results(store: Store) -> dict[str, Result]:
    """The results of earlier runs on this machine with these versions, by the network's name."""
    return {result["name"]: result for result in store.current() if result["name"] in ZOO}


def main(arguments: list[str] | None = None) -> int:
    """Measures the networks asked for and writes the report; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.zoo", description=__doc__)
    parser.add_argument("--only", default="*", metavar="PATTERN", help="networks whose name or library matches")
    parser.add_argument("--again", nargs="*", metavar="NAME", help="measure these again, or all if none is named")
    parser.add_argument("--eager", action="store_true", help="capture and float64 completeness only, no artifacts")
    parser.add_argument("--jobs", type=int, default=1, help="networks measured at the same time")
    parser.add_argument("--limit", type=float, default=600, help="seconds for one network")
    parser.add_argument("--memory", type=int, default=12, help="address space of one network, GiB")
    options = parser.parse_args(arguments)

    if unknown := [name for name in options.again or () if name not in ZOO]:
        parser.error(f"no such network: {', '.join(unknown)}")
    stages = all_stages(artifacts=not options.eager)
    known = load_results(STORE)
    chosen = [
        name
        for name, row in ZOO.items()
        if fnmatch.fnmatch(name, options.only) or fnmatch.fnmatch(row.library, options.only)
    ]
    if options.again:
        chosen = [name for name in chosen if name in options.again]
    elif options.again is None:
        chosen = [name for name in chosen if name not in known or not set(stages) <= set(known[name]["stages"])]

    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress, ThreadPoolExecutor(options.jobs) as pool:
        task = progress.add_task("zoo", total=len(chosen))
        futures = [pool.submit(measure, name, stages, options.limit, options.memory) for name in chosen]
        for future in as_completed(futures):
            record = future.result()
            STORE.append(asdict(record))
            write_report(RESULTS, load_results(STORE))
            progress.console.print(f"{record.name}: {status(record)}")
            progress.advance(task)
    return 0


if __name__ == "__main__":
    sys.exit(main())
