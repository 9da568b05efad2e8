"""Checks the compiler on random networks of kinds: expanded weights, writes, own backwards, sizes, dtypes, inputs.

    python -m benchmarks.exactness.random_graphs.kinds --count 2000 [--kinds writes,sizes] [--start 0] [--seed 0]

Network ``i`` is of kind ``i mod 9`` and depends on seed and number alone. What the file of results has is kept, so that
a run can be stopped and goes on; ``--again`` does what was not right once more. Exit status 1 if a network is wrong or
crashes: a refusal is an error of ours by its name; one that says that a check or a pass failed counts as wrong.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import track

from benchmarks.exactness.random_graphs.kinds.compare import Figures, measure_artifact, measure_eager, misses
from benchmarks.exactness.random_graphs.kinds.report import render
from benchmarks.exactness.random_graphs.kinds.table import KINDS, draw_kind
from benchmarks.harness.environment import RESULTS
from benchmarks.harness.records import Result, Store
from fgcompile.errors import CompilerError, FgcompileError, VerificationError

NAME = "random_kinds"
PACKAGES = ("torch", "onnx", "onnxscript", "onnxruntime")
FORMATS = ("torchscript", "onnx")
"""In turns among the networks of a kind."""


def check(kind: str, seed: int, index: int) -> Result:
    """One network's outcome: ``right``, ``refused``, ``wrong`` or ``crashed``, why, and what was measured."""
    begun = time.process_time()
    torch.set_num_threads(1)
    format = FORMATS[index // 2 % 2]
    figures: Figures = {}
    described = ""
    try:
        drawn = draw_kind(kind, seed, index)
        described = drawn.described
        figures |= measure_eager(drawn)
        figures |= measure_artifact(drawn, format, 1 + index % 2)
        missed = misses(figures, drawn.dtype)
        outcome, reason = (
            ("wrong", ", ".join(f"{name} {figures[name]:.1e}" for name in missed)) if missed else ("right", "")
        )
    except (VerificationError, CompilerError) as error:
        outcome, reason = "wrong", _said(error)
    except FgcompileError as error:
        outcome, reason = "refused", _said(error)
    except Exception as error:  # whatever else is raised is a finding
        outcome, reason = "crashed", _said(error)
    return {
        "kind": kind,
        "seed": seed,
        "index": index,
        "format": format,
        "outcome": outcome,
        "reason": reason,
        "figures": {name: float(f"{value:.1e}") for name, value in figures.items()},
        "described": described if outcome != "right" else "",
        "seconds": round(time.process_time() - begun, 2),
    }


def _said(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:400]


def main(arguments: Sequence[str] | None = None) -> int:
    """Checks the networks asked for, a line of results each; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.exactness.random_graphs.kinds", description=__doc__)
    parser.add_argument("--count", type=int, default=90, help="networks of all kinds together")
    parser.add_argument("--start", type=int, default=0, help="the first one's number")
    parser.add_argument("--kinds", default=",".join(KINDS), help="names with commas; others' numbers are passed over")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--again", action="store_true", help="check once more what was not right")
    parser.add_argument("--report-only", action="store_true")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder of results")
    options = parser.parse_args(arguments)
    chosen = options.kinds.split(",")
    if unknown := [kind for kind in chosen if kind not in KINDS]:
        parser.error(f"no kind {', '.join(unknown)}: choose of {', '.join(KINDS)}")

    store = Store(options.results / f"{NAME}.jsonl", ("kind", "seed", "index"), PACKAGES)
    if not options.report_only:
        _run(store, _tasks(store, options, chosen), options.jobs)
    results = [result for result in store.read() if result["seed"] == options.seed]
    report = render(results)
    store.path.with_suffix(".md").write_text(report)
    print(report)
    return 1 if any(result["outcome"] in ("wrong", "crashed") for result in results) else 0


def _tasks(store: Store, options: argparse.Namespace, chosen: Sequence[str]) -> list[tuple[str, int, int]]:
    """Kind, seed and number within the kind of what is still to be done."""
    done = {
        (result["kind"], result["seed"], result["index"])
        for result in store.read()
        if result["outcome"] == "right" or not options.again
    }
    kinds = list(KINDS)
    numbered = (
        (kinds[number % len(kinds)], options.seed, number // len(kinds))
        for number in range(options.start, options.start + options.count)
    )
    return [task for task in numbered if task[0] in chosen and task not in done]


def _run(store: Store, tasks: Sequence[tuple[str, int, int]], jobs: int) -> None:
    with multiprocessing.get_context("spawn").Pool(jobs, _prepare, maxtasksperchild=100) as pool:
        checked = pool.imap(_checked, tasks)
        for result in track(checked, "random kinds", total=len(tasks), console=Console(stderr=True)):
            store.append(result)
        pool.close()
        pool.join()


def _prepare() -> None:
    gc.set_threshold(200_000, 50, 100)  # PyTorch's caches grow from graph to graph, and are searched in vain
    warnings.simplefilter("ignore")


def _checked(task: tuple[Any, ...]) -> Result:
    return check(*task)
