"""The report of ``benchmarks.latency``: a table for each batch, number of threads and device, and a plot of ratios."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks.harness.environment import markdown_table
from benchmarks.harness.plots import draw_ratios
from benchmarks.harness.records import Figures, describe
from benchmarks.latency.candidates import CANDIDATES
from benchmarks.latency.measurement import timing_of
from benchmarks.latency.records import Record
from benchmarks.networks.architectures import ARCHITECTURES

OURS = "onnxruntime.fused"
"""What every candidate is compared with."""

HEADER = [
    "network",
    "runtime",
    "what",
    "median, ms",
    "p95",
    "p99",
    "spread",
    "× forward",
    "× forward, CPU time",
    "× ours",
    "memory of a call, MB",
    "loaded, MB",
    "calls",
    "remarks",
]

LEGEND = """\
- *forward only* is the plain model in that runtime, exported for that batch alone; *fused artifact* is what
  `fgcompile.compile` makes: logits and the FullGrad map, for any batch. The others are what users have today.
- *median*, *p95*, *p99*: wall-clock latency of a call on inputs in memory (on a GPU: in its memory, as are the outputs,
  until the GPU is done), after a warm-up; all rows of a network ran in turns in one process. *spread*: interquartile
  range ÷ median. *calls*: how many were timed.
- On a GPU, for all rows: float32 is float32, not TF32, and cuDNN chooses its algorithms by trying them. *CUDA graph*:
  calls are replays of a captured graph.
- *× forward*: median ÷ that of *forward only* in the same runtime; *CPU time*: the same of the CPU time of the whole
  process. *× ours*: median ÷ that of the fused artifact in ONNX Runtime.
- *memory of a call*: peak of the resident memory during the first three calls, less what was resident (*loaded*:
  weights, libraries, Python) before them, in a fresh process for each row; on a GPU, how far its used memory grew.
- Not all compute the same. The two *input-gradients* have neither biases nor a map. The map of *hooks*, the authors'
  algorithm, and of *torch.compile*, the same as a function, leaves out the biases of activations, and of layers without
  a hook, such as attention: the remarks say where their terms do not add up to the score. *pytorch-grad-cam* takes
  convolutions and BatchNorm only, and has a ψ of its own. *Integrated gradients* are another method.
- Random weights (`benchmarks/networks/weights.py`) but for `efficientnet_lite0`, which is trained: latency does not
  depend on them."""


def write_report(folder: Path, records: Sequence[Record]) -> None:
    """Writes ``latency.md``, and ``latency.png`` and ``latency.svg`` of the first table."""
    networks = list(ARCHITECTURES)
    ordered = sorted(records, key=lambda r: (*_section_key(r), networks.index(r.subject["model"])))
    sections = [list(group) for _, group in groupby(ordered, key=_section_key)]
    (folder / "latency.md").write_text(render(sections))
    if sections:
        ratios = ratios_by_method(sections[0])
        draw_ratios(folder / "latency", ratios, f"What an explanation costs: {_title(sections[0][0])}")


def render(sections: Sequence[Sequence[Record]]) -> str:
    """The report in Markdown; the first section, with a short table before it, is the main one."""
    records = [record for section in sections for record in section]
    parts = [
        "# Latency of an explanation",
        describe(map(vars, records), "python -m benchmarks.latency"),
        LEGEND,
        *(["## In short", _overview(sections[0]), "![ratios](latency.png)"] if sections else []),
    ]
    for section in sections:
        parts += [f"## {_title(section[0])}", markdown_table(HEADER, [row for r in section for row in _rows(r)])]
    return "\n\n".join(parts) + "\n"


def ratios_by_method(section: Sequence[Record]) -> dict[str, dict[str, float]]:
    """How many forward passes in the same runtime each fused artifact and rival costs, by method and network."""
    ratios: dict[str, dict[str, float]] = {}
    for key, candidate in CANDIDATES.items():
        if candidate.role == "forward":
            continue
        found = {r.subject["model"]: ratio(r.figures, key, forward_key(key)) for r in section}
        method = f"{candidate.label}, {candidate.runtime}" if candidate.role == "fused" else candidate.label
        known = {model: ratio for model, ratio in found.items() if ratio is not None}
        if known:
            ratios[method] = known
    return ratios


def _overview(section: Sequence[Record]) -> str:
    ratios = ratios_by_method(section)
    models = [record.subject["model"] for record in section]
    rows = [[method, *(_number(found.get(model)) for model in models)] for method, found in ratios.items()]
    text = f"Time divided by that of the forward pass in the same runtime; {_title(section[0])}."
    return f"{text}\n\n{markdown_table(['method', *models], rows)}"


def _section_key(record: Record) -> tuple[Any, ...]:
    subject = record.subject
    first = (subject["device"] != "cpu", record.machine, subject["size"] or 0, subject["precision"] != "float32")
    return (*first, subject["precision"], subject["batch"], subject["threads"])


def _title(record: Record) -> str:
    subject = record.subject
    size = "" if subject["size"] is None else f", {subject['size']}×{subject['size']}"
    threads = "1 thread" if subject["threads"] == 1 else f"{subject['threads']} threads"
    precision = "" if subject["precision"] == "float32" else f", {subject['precision']}"
    return f"Batch {subject['batch']}, {threads}{size}{precision}, {record.machine}"


def _rows(record: Record) -> list[list[str]]:
    return [_row(record, key) for key in CANDIDATES if key in record.figures]


def _row(record: Record, key: str) -> list[str]:
    candidate, figures = CANDIDATES[key], record.figures[key]
    row = [record.subject["model"], candidate.runtime, candidate.label]
    timing = timing_of(figures)
    if timing is None:
        return [*row, *["–"] * (len(HEADER) - 4), remark(figures)]
    forward = timing_of(record.figures.get(forward_key(key)))
    return [
        *row,
        _milliseconds(timing.median),
        _milliseconds(timing.percentile(95)),
        _milliseconds(timing.percentile(99)),
        f"{timing.spread:.0%}",
        _number(ratio(record.figures, key, forward_key(key))),
        _number(timing.cpu_median / forward.cpu_median if forward else None),
        _number(ratio(record.figures, key, OURS)),
        _megabytes(figures.get("call_megabytes")),
        _megabytes(figures.get("loaded_megabytes")),
        str(len(timing.wall)),
        remark(figures),
    ]


def forward_key(key: str) -> str:
    """The plain model in the same runtime."""
    runtime = CANDIDATES[key].runtime
    return next(k for k, other in CANDIDATES.items() if other.runtime == runtime and other.role == "forward")


def ratio(figures: dict[str, Figures], key: str, of: str) -> float | None:
    numerator, denominator = timing_of(figures.get(key)), timing_of(figures.get(of))
    return None if numerator is None or denominator is None else numerator.median / denominator.median


def remark(figures: Figures) -> str:
    """Why there are no figures, or what is to be known of them; a vertical bar would end the cell."""
    remarks = [f"{kind}: {figures[kind]}" for kind in ("skipped", "failed") if kind in figures]
    return "; ".join([*remarks, *filter(None, [figures.get("note")])]).replace("|", "\\|")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _milliseconds(value: float) -> str:
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _megabytes(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f}"
