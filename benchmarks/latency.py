"""Measures what an explanation costs: a fused artifact's latency divided by the plain model's, in the same runtime.

    python -m benchmarks.latency [--models resnet18 …] [--threads 1] [--repeats 30]

The two run alternately in one process, so that what else the machine does slows both. Batch 1.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import onnxruntime  # type: ignore[import-untyped]
import torch
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from torch import Tensor, nn

import fgcompile
from benchmarks.architectures import ARCHITECTURES, build_network
from benchmarks.environment import RESULTS, machine, markdown_table, today, versions
from benchmarks.weights import sample_inputs

PACKAGES = ("torch", "onnx", "onnxscript", "onnxruntime")
WARMUP = 5

Call = Callable[[], object]


@dataclass(frozen=True)
class Timing:
    """Latencies of repeated calls, wall clock and process CPU time, in milliseconds."""

    wall: tuple[float, ...]
    cpu: tuple[float, ...]

    @property
    def median(self) -> float:
        """Median wall-clock latency."""
        return statistics.median(self.wall)

    def __str__(self) -> str:
        deciles = statistics.quantiles(self.wall, n=10)
        return f"{self.median:.1f} ({deciles[0]:.1f}–{deciles[-1]:.1f})"


@torch.no_grad()
def time_alternately(calls: list[Call], repeats: int) -> list[Timing]:
    """Times each call ``repeats`` times, in turns, after a warm-up."""
    for _ in range(WARMUP):
        for call in calls:
            call()
    wall: list[list[float]] = [[] for _ in calls]
    cpu: list[list[float]] = [[] for _ in calls]
    for _ in range(repeats):
        for i, call in enumerate(calls):
            start, cpu_start = time.perf_counter(), time.process_time()
            call()
            wall[i].append(1e3 * (time.perf_counter() - start))
            cpu[i].append(1e3 * (time.process_time() - cpu_start))
    return [Timing(tuple(a), tuple(b)) for a, b in zip(wall, cpu, strict=True)]


def onnxruntime_calls(model: nn.Module, x: Tensor, target: Tensor, threads: int, folder: Path) -> list[Call]:
    """The plain model and the fused artifact in ONNX Runtime on the CPU, at its default optimisation level."""
    plain, fused = folder / "plain.onnx", folder / "fused.onnx"
    torch.onnx.export(model, (x,), plain, dynamo=True, verbose=False)
    fgcompile.compile(model, (x,), format="onnx").save(fused)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    sessions = [
        onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"]) for path in (plain, fused)
    ]
    values = (x.numpy(), target.numpy())
    feeds = [{spec.name: value for spec, value in zip(s.get_inputs(), values, strict=False)} for s in sessions]
    return [partial(session.run, None, feed) for session, feed in zip(sessions, feeds, strict=True)]


def torchscript_calls(model: nn.Module, x: Tensor, target: Tensor, threads: int, folder: Path) -> list[Call]:
    """The plain model, traced and frozen, and the fused artifact in PyTorch's TorchScript interpreter."""
    torch.set_num_threads(threads)
    fgcompile.compile(model, (x,), format="torchscript").save(folder / "fused.pt")
    plain = torch.jit.freeze(torch.jit.trace(model, x))  # type: ignore[no-untyped-call]
    fused = torch.jit.load(folder / "fused.pt")  # type: ignore[no-untyped-call]
    return [partial(plain, x), partial(fused, x, target)]


RUNTIMES = {"ONNX Runtime CPU": onnxruntime_calls, "TorchScript CPU": torchscript_calls}


def measure(name: str, threads: int, repeats: int) -> list[list[str]]:
    """One row of the table per runtime for a network."""
    model = build_network(name)
    x = sample_inputs(ARCHITECTURES[name].input_shape, 1)
    target = model(x).argmax(1)
    rows = []
    for runtime, make_calls in RUNTIMES.items():
        with tempfile.TemporaryDirectory() as folder:
            plain, fused = time_alternately(make_calls(model, x, target, threads, Path(folder)), repeats)
        cpu = statistics.median(fused.cpu) / statistics.median(plain.cpu)
        rows.append([name, runtime, str(plain), str(fused), f"{fused.median / plain.median:.2f}", f"{cpu:.2f}"])
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Measures the networks asked for and writes the table; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    defaults = ["resnet18", "resnet50", "efficientnet_lite0"]
    parser.add_argument("--models", nargs="+", choices=ARCHITECTURES, default=defaults, metavar="NAME")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=30)
    options = parser.parse_args(arguments)

    rows = []
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("latency", total=len(options.models))
        for name in options.models:
            progress.update(task, description=name)
            rows += measure(name, options.threads, options.repeats)
            progress.advance(task)
    header = ["network", "runtime", "forward, ms", "fused, ms", "ratio", "ratio of CPU time"]
    facts = {
        "machine": f"{machine()}; threads used: {options.threads}",
        "versions": versions(PACKAGES),
        "date": today(),
        "command": f"`python -m benchmarks.latency {' '.join(arguments or sys.argv[1:])}`".replace(" `", "`"),
    }
    report = "\n".join(
        [
            "# Latency of an explanation\n",
            *(f"- {key}: {value}" for key, value in facts.items()),
            f"\nBatch 1. Median (10th to 90th percentile) of {options.repeats} calls, forward and fused in turns.\n",
            markdown_table(header, rows),
            "",
        ]
    )
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "latency.md").write_text(report)
    print(report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
