"""Measures what an explanation costs, in each runtime and beside what users have today.

    python -m benchmarks.latency [--models resnet18 …] [--batches 1 8 32] [--threads 1 2] [--runtimes onnxruntime …]
                                 [--rivals hooks … | --no-rivals] [--device cuda] [--precisions float32 float16]
                                 [--report-only]

Without arguments: eight networks with every runtime and rival, batch 1, one thread. ``--device cuda`` measures on the
GPU, also as replays of CUDA graphs. Needs the extras ``cpu`` (or ``gpu``) and ``demo`` and the group ``bench``.

All candidates of a network, batch and number of threads run in turns in one process. Each such measurement is a line of
``results/latency.jsonl``; what was measured on this machine with these versions is not measured again, so a sweep can
be made in parts. ``results/latency.md`` and its plot are made of all lines.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from contextlib import AbstractContextManager, nullcontext
from itertools import chain, product
from pathlib import Path
from typing import get_args

from benchmarks.harness.environment import RESULTS
from benchmarks.harness.progress import show_progress
from benchmarks.latency.candidates import OTHERS, choose
from benchmarks.latency.preparation import prepare_all
from benchmarks.latency.records import read_records
from benchmarks.latency.report import write_report
from benchmarks.latency.runtimes import RUNTIMES
from benchmarks.latency.sweep import is_pending, keep_measured
from benchmarks.latency.timing import Effort
from benchmarks.latency.workload import MODELS, Workload
from benchmarks.networks.architectures import ARCHITECTURES
from fgcompile.compiler.request import Precision


def main(arguments: list[str] | None = None) -> int:
    """Measures what is asked for and not yet known, and writes the report; returns the exit status."""
    options = _parse(arguments)
    store = options.results / "latency.jsonl"
    keys = choose(options.runtimes, options.rivals, options.device)
    effort = Effort(options.repeats, options.seconds, options.longest)
    models = [] if options.report_only else options.models
    settings = list(product(options.precisions, options.threads, options.batches))
    with show_progress("latency", len(models) * len(settings)) as advance, _files(options.folder) as folder:
        workloads = {
            model: [_workload(options, Path(folder), model, *setting) for setting in settings] for model in models
        }
        if options.processes > 1:
            every = chain.from_iterable(workloads.values())
            prepare_all([each for each in every if is_pending(store, each, keys)], keys, options.processes)
        for model, group in workloads.items():
            for workload in group:
                # Memory hardly depends on threads, and takes a process for each candidate.
                memory = options.memory and workload.threads == min(options.threads)
                title = f"{model}, batch {workload.batch}, {workload.precision}"
                keep_measured(store, workload, keys, effort, memory, advance(title))
            if options.folder is None:
                shutil.rmtree(Path(folder, model), ignore_errors=True)
    write_report(options.results, read_records(store))
    return 0


def _workload(
    options: argparse.Namespace, folder: Path, model: str, precision: str, threads: int, batch: int
) -> Workload:
    own = folder / model / str(options.size or "")
    own.mkdir(parents=True, exist_ok=True)
    return Workload(model, batch, threads, own, options.device, options.size, precision)


def _files(folder: Path | None) -> AbstractContextManager[str | Path]:
    """The folder of the files that are made, or one that is there until the end."""
    return tempfile.TemporaryDirectory() if folder is None else nullcontext(folder)


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    default = Effort()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.latency",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--models", nargs="+", choices=ARCHITECTURES, default=MODELS, metavar="NAME")
    parser.add_argument("--batches", nargs="+", type=int, default=[1], metavar="N")
    parser.add_argument("--threads", nargs="+", type=int, default=[1], metavar="N")
    parser.add_argument(
        "--precisions", nargs="+", choices=[*get_args(Precision), "tf32"], default=["float32"], metavar="NAME"
    )
    parser.add_argument("--runtimes", nargs="+", choices=RUNTIMES, default=list(RUNTIMES), metavar="NAME")
    rivals = parser.add_mutually_exclusive_group()
    rivals.add_argument("--rivals", nargs="+", choices=OTHERS, default=list(OTHERS), metavar="NAME")
    rivals.add_argument("--no-rivals", action="store_const", dest="rivals", const=[])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--size", type=int, help="height and width of the inputs, instead of the networks' own")
    parser.add_argument("--repeats", type=int, default=default.repeats, help="the most calls of a candidate")
    parser.add_argument("--seconds", type=float, default=default.seconds, help="for each candidate, beyond five calls")
    parser.add_argument("--longest", type=float, default=default.longest, help="seconds: slower calls are made once")
    parser.add_argument("--no-memory", action="store_false", dest="memory", help="measure latency alone")
    parser.add_argument(
        "--processes", type=int, default=1, help="prepare the candidates of all networks first, by so many"
    )
    parser.add_argument("--folder", type=Path, help="where networks and artifacts are kept for another time")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder of the records and the report")
    parser.add_argument("--report-only", action="store_true", help="measure nothing, write the report again")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
