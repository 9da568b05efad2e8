"""Checks the compiler on a graphics card, and measures there what an explanation costs, most important first.

    python -m benchmarks.gpu [--minutes 10] [--folder FOLDER] [--results FOLDER] [--no-tests] [--no-memory]
    python -m benchmarks.gpu --prepare --folder FOLDER

First the tests that need a card, each named as it ends; then the rows, each printed as it comes and kept as a line of
``results/latency.jsonl``, so that another run goes on where the time was over. ``--prepare`` makes, where there is no
card, what files of the rows can be made there, into a folder that travels. Exit status 0; 1 if a test failed; 2 if
there is no card. Needs the extras ``gpu`` and ``demo`` and the groups ``bench`` and ``test``.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.gpu.card_tests import run_tests
from benchmarks.gpu.rows import KEYS, MODELS, SETTINGS, WITHOUT_CARD, Run, measure_rows, workloads
from benchmarks.harness.environment import RESULTS
from benchmarks.harness.progress import show_progress
from benchmarks.latency.candidates import CANDIDATES
from benchmarks.latency.preparation import prepare_all
from benchmarks.latency.records import read_records
from benchmarks.latency.report import write_report
from benchmarks.latency.timing import Effort
from benchmarks.networks.architectures import ARCHITECTURES

TESTS_SHARE = 0.4
"""Of the time, at most, for the tests."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Tests and measures within the time; returns the exit status."""
    options = _parse(arguments)
    begun = time.monotonic()
    folder = options.folder or Path(tempfile.gettempdir(), "fgcompile-gpu")
    rows = workloads(options.models, SETTINGS[: options.settings], folder, options.device, options.size)
    if options.prepare:
        prepare_all(rows, WITHOUT_CARD, options.processes)
        return 0
    if options.device == "cuda" and not torch.cuda.is_available():
        print("no CUDA device here, or a build of PyTorch without CUDA: run this on a machine that has one")
        return 2
    store, limit = options.results / "latency.jsonl", 60 * options.minutes
    outcomes: dict[str, list[str]] = {}
    if options.tests:
        outcomes = run_tests(options.results / "gpu_tests.jsonl", options.device, TESTS_SHARE * limit, print)
    keys = [key for key in options.candidates if options.device in CANDIDATES[key].devices]
    run = Run(store, keys, Effort(seconds=options.seconds), options.memory, options.processes, begun + limit)
    with show_progress("gpu", len(rows)) as begin:
        left = measure_rows(rows, run, begin, print)
    if left:
        print(f"{left} of {len(rows)} rows are left: run it again, with the same --folder and --results")
    write_report(options.results, read_records(store))
    return 1 if set(outcomes) - {"PASSED", "SKIPPED"} else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10, help="for all; no row is begun that may not fit")
    parser.add_argument("--models", nargs="+", choices=ARCHITECTURES, default=MODELS, metavar="NAME")
    parser.add_argument("--candidates", nargs="+", choices=CANDIDATES, default=KEYS, metavar="KEY")
    parser.add_argument("--settings", type=int, default=len(SETTINGS), help="how many of precisions and batches")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each candidate, beyond five calls")
    parser.add_argument("--size", type=int, help="height and width of the inputs, instead of the networks' own")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda", help="cpu: to try the command itself")
    parser.add_argument("--processes", type=int, default=max(1, (os.cpu_count() or 1) // 2))
    parser.add_argument("--folder", type=Path, help="where networks and artifacts are kept for another run")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder of the records and the report")
    parser.add_argument("--prepare", action="store_true", help="only make the files that need no card")
    parser.add_argument("--no-tests", action="store_false", dest="tests")
    parser.add_argument("--no-memory", action="store_false", dest="memory")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
