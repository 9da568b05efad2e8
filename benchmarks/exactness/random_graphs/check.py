"""Checks the compiler on many random graphs: completeness, gradients, the fused graph, and artifacts in each format.

    python -m benchmarks.exactness.random_graphs --graphs 2000 [--seed 0] [--jobs 1]
                                       [--format both|alternate|onnx|torchscript|none]

The graph of a number depends on the seed alone (``drawing.draw_seeded``), so that a failure can be drawn again. Graphs
already in the results file that were checked with the same seed, in the same environment, are kept, so that a sweep can
be stopped and resumed; those that failed are checked again. Exit status 1 if a graph fails.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import multiprocessing
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import torch
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.exactness.random_graphs.drawing import draw_seeded
from benchmarks.exactness.random_graphs.families import FAMILIES
from benchmarks.exactness.random_graphs.network import RandomNetwork
from benchmarks.exactness.random_graphs.properties import Figures, limit, measure_artifact, measure_exact, misses
from benchmarks.harness.environment import RESULTS, machine, markdown_table, today, versions
from fgcompile.errors import UnsupportedOpError

FORMATS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "both": (("onnx", "torchscript"),),
    "alternate": (("onnx",), ("torchscript",)),
    "onnx": (("onnx",),),
    "torchscript": (("torchscript",),),
    "none": ((),),
}
"""The formats that graphs are compiled to, in turns."""

PACKAGES = ("torch", "onnx", "onnxscript", "onnxruntime")
SAVE_EVERY = 10
STORE = RESULTS / "random_graphs.json"


@dataclass
class Record:
    """What was found out about one graph.

    Attributes:
        digest: Of its description, which tells whether the families still draw the graph that was checked.
        operators: Those of its steps.
        figures: Measured errors by part of the check, see ``benchmarks.exactness.random_graphs.properties``.
        refused: The compiler's reason by format, where it says that the format cannot express the graph.
        failed: What went wrong likewise: figures above their limits, or an unexpected error.
        description: The graph, where something failed.
    """

    digest: str
    operators: list[str]
    figures: dict[str, Figures] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    description: str = ""


def check_graph(record: Record, network: RandomNetwork, formats: tuple[str, ...]) -> None:
    """Adds to a record what it lacks: the properties in float64, and those of the artifacts of ``formats``."""
    parts: dict[str, Callable[[], Figures]] = {"float64": lambda: measure_exact(network)}
    parts |= {name: lambda name=name: measure_artifact(network, name) for name in formats}  # type: ignore[misc]
    for part, measure in parts.items():
        if part not in record.failed and (part in record.figures or part in record.refused):
            continue
        record.failed.pop(part, None)
        try:
            figures = measure()
        except UnsupportedOpError as error:
            record.refused[part] = str(error)
        except Exception as error:  # whatever goes wrong is a finding
            record.failed[part] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        else:
            record.figures[part] = figures
            if missed := misses(figures):
                record.failed[part] = ", ".join(f"{name} {figures[name]:.1e}" for name in missed)
    record.description = repr(network.description) if record.failed else ""


def render(records: Mapping[int, Record], facts: Mapping[str, str]) -> str:
    """The report: counts and worst errors, what was refused, every failure with its graph, operators by family."""
    measured: dict[str, list[float]] = {}
    for record in records.values():
        for name, value in [item for figures in record.figures.values() for item in figures.items()]:
            measured.setdefault(name, []).append(value)
    errors = [
        [name, str(len(values)), f"{median(values):.1e}", f"{max(values):.1e}", f"{limit(name):g}"]
        for name, values in measured.items()
    ]
    refusals = Counter((part, why) for record in records.values() for part, why in record.refused.items())
    failures = {index: record for index, record in records.items() if record.failed}
    counts = Counter(name for record in records.values() for name in record.operators)
    coverage = [
        f"- {family}: " + ", ".join(f"{name} {counts[name]}" for name in operators)
        for family, operators in FAMILIES.items()
    ]
    parts = [
        "# Random graphs",
        "\n".join(f"- {key}: {value}" for key, value in facts.items()),
        LEGEND,
        markdown_table(["property", "graphs", "median error", "worst error", "limit"], errors),
        "## Refused",
        "The compiler says that the format cannot express the graph, and why."
        + "".join(f"\n- {part}, {count} graphs: {why}" for (part, why), count in refusals.most_common()),
        "## Failed",
        f"{len(failures)} of {len(records)} graphs."
        + "".join(f"\n\n- graph {i}: {r.failed}\n\n      {r.description}" for i, r in failures.items()),
        f"## Steps by operator, of {sum(map(len, FAMILIES.values()))}",
        "\n".join(coverage),
    ]
    return "\n\n".join(parts) + "\n"


LEGEND = """\
Every graph is drawn from the operator families of `benchmarks/exactness/random_graphs`, with random shapes, strides,
groups, axes and weights, and is compared on a batch of 3, which is not the one that any stage traces with.

- *completeness …*: `|f − Σ terms| / Σ |terms|` of the eager full-gradient, under each rule set, float64.
- *input_gradient*: that of `taylor`, from plain autograd on the module, relative to the largest, float64.
- *fused …*: the outputs of the fused graph from the module's logits and the eager full-gradient's terms and map, each
  relative to the largest value, under each rule set, float64.
- *logits …*: of the artifact from the module's, relative to the largest, float32.
- *residual …*: `|residual| / Σ |contributions|` as the artifact itself measures it, float32."""


def main(arguments: list[str] | None = None) -> int:
    """Checks the graphs asked for, writing the report as it goes; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.exactness.random_graphs", description=__doc__)
    parser.add_argument("--graphs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--format", choices=FORMATS, default="both", help="alternate: one format a graph, in turns")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    options = parser.parse_args(arguments)

    environment = {"machine": machine(), "versions": versions(PACKAGES), "seed": str(options.seed)}
    records = _stored(environment)
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with (
        multiprocessing.get_context("spawn").Pool(options.jobs, _prepare, maxtasksperchild=100) as pool,
        Progress(*columns, console=Console(stderr=True)) as progress,
    ):
        turns = FORMATS[options.format]
        tasks = [
            (options.seed, index, records.get(index), turns[index % len(turns)]) for index in range(options.graphs)
        ]
        checked = pool.imap(_checked, tasks)
        for index, record in enumerate(progress.track(checked, total=options.graphs, description="random graphs")):
            records[index] = record
            if index % SAVE_EVERY == SAVE_EVERY - 1 or index == options.graphs - 1:
                _write(records, environment)
        pool.close()
        pool.join()
    failed = [index for index, record in records.items() if record.failed]
    print(f"{len(records)} graphs in {STORE.with_suffix('.md')}, failed: {', '.join(map(str, failed)) or 'none'}")
    return 1 if failed else 0


def _prepare() -> None:
    torch.set_num_threads(1)
    gc.set_threshold(200_000, 50, 100)  # PyTorch's caches grow from graph to graph, and are searched in vain
    warnings.simplefilter("ignore")


def _checked(task: tuple[int, int, Record | None, tuple[str, ...]]) -> Record:
    """The record of a graph, with what it lacked; one of another graph of that number is replaced."""
    seed, index, record, formats = task
    description = draw_seeded(seed, index)
    digest = hashlib.sha256(repr(description).encode()).hexdigest()[:16]
    if record is None or record.digest != digest:
        record = Record(digest, [step.operator for step in description.steps])
    check_graph(record, RandomNetwork(description), formats)
    return record


def _stored(environment: Mapping[str, str]) -> dict[int, Record]:
    """The records of earlier runs, unless they were made in another environment or with another seed."""
    if not STORE.exists():
        return {}
    stored: dict[str, Any] = json.loads(STORE.read_text())
    if stored["environment"] != environment:
        return {}
    return {int(index): Record(**record) for index, record in stored["records"].items()}


def _write(records: Mapping[int, Record], environment: Mapping[str, str]) -> None:
    stored = {"environment": environment, "records": {index: asdict(record) for index, record in records.items()}}
    STORE.write_text(json.dumps(stored) + "\n")
    facts = {**environment, "date": today(), "command": "`python -m benchmarks.exactness.random_graphs`"}
    Path(STORE).with_suffix(".md").write_text(render(records, facts))
