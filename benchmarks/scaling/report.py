"""The report of ``benchmarks.scaling``: a table and a plot for each sweep, and what compiling costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.harness.environment import markdown_table
from benchmarks.harness.plots import Curve, draw_curves
from benchmarks.harness.records import Figures, describe
from benchmarks.latency.candidates import CANDIDATES
from benchmarks.latency.measurement import timing_of
from benchmarks.latency.records import Record
from benchmarks.scaling.sweeps import COMPILED, COMPILING, LENGTH, RECURRENT, SWEEPS, THREADS, Sweep

LEGEND = f"""\
{THREADS} thread, float32. *forward* is the plain model in that runtime, *fused* the artifact with logits and map;
latencies are medians, measured as for `latency.md`, and so is the memory of a call. Compiling: to ONNX unless the row
says `.pt2`, from the model to the artifact's bytes, checks in float64, a run of the artifact and a compiler of C++
included; *again* is the second time in the same process; its memory is the peak of the process at the first. Beside it
`torch.onnx.export` of the plain model. Seconds are those of the processor."""

LENGTH_LEGEND = """\
One dimension: reflection padding, an adaptive average whose windows are unequal, linear interpolation, an average over
101 samples. *Before* is the memory of the process when compiling begins; a matrix of length by length would take 33 GB
in float64 at 64,000."""

RECURRENT_LEGEND = """\
Recurrent layers are unrolled: the graph has a copy of the cell for each step, layer and direction. Seconds are those of
the process on the processor. *BiLSTM*: one layer of 16 over tokens; *CRNN*: four convolutions, then two layers."""

Curves = dict[str, dict[float, float]]


def write_report(folder: Path, records: Sequence[Record]) -> None:
    """Writes ``scaling.md`` and a plot for each part of it that has records."""
    parts = [
        "# How the cost of an explanation grows",
        describe(map(vars, records), "python -m benchmarks.scaling"),
        LEGEND,
    ]
    for sweep in SWEEPS:
        found = _records_of(sweep, records)
        if found:
            parts += [f"## {sweep.title}", _sweep_table(sweep, found), f"![{sweep.name}](scaling_{sweep.name}.png)"]
            _draw_sweep(folder / f"scaling_{sweep.name}", sweep, found)
    compiled = {r.subject["model"]: r.figures[COMPILING] for r in records if COMPILING in r.subject}
    if compiled:
        parts += ["## Compiling", _compiling_table(compiled), f"![{COMPILING}](scaling_{COMPILING}.png)"]
        _draw_compiling(folder / f"scaling_{COMPILING}", compiled)
    by_length = {r.subject[LENGTH]: r.figures[LENGTH] for r in records if LENGTH in r.subject}
    if by_length:
        parts += ["## Compiling a network over a signal, by its length", LENGTH_LEGEND, _length_table(by_length)]
    unrolled = {
        (r.subject[RECURRENT], r.subject["steps"]): r.figures[RECURRENT] for r in records if RECURRENT in r.subject
    }
    if unrolled:
        parts += ["## Compiling a recurrent network, by its steps", RECURRENT_LEGEND, _recurrent_table(unrolled)]
    (folder / "scaling.md").write_text("\n\n".join(parts) + "\n")


def _records_of(sweep: Sweep, records: Sequence[Record]) -> dict[int, Record]:
    by_point = {
        tuple(record.subject[name] for name in ("model", "batch", "size")): record
        for record in records
        if not {COMPILING, LENGTH, RECURRENT}.intersection(record.subject)
    }
    return {
        value: by_point[point.model, point.batch, point.size]
        for value, point in sweep.points.items()
        if (point.model, point.batch, point.size) in by_point
    }


def _sweep_table(sweep: Sweep, records: Mapping[int, Record]) -> str:
    header = [
        sweep.axis,
        "runtime",
        "forward, ms",
        "fused, ms",
        "fused ÷ forward",
        "memory of a forward, MB",
        "of a fused call, MB",
        "remarks",
    ]
    rows = [
        [str(value), *row]
        for value, record in records.items()
        for key, figures in record.figures.items()
        if CANDIDATES[key].role == "fused"
        for row in [_compare(CANDIDATES[key].runtime, record.figures[f"{key.partition('.')[0]}.forward"], figures)]
    ]
    return markdown_table(header, rows)


def _compare(runtime: str, forward: Figures, fused: Figures) -> list[str]:
    plain, ours = timing_of(forward), timing_of(fused)
    ratio = f"{ours.median / plain.median:.2f}" if plain and ours else "–"
    return [
        runtime,
        f"{plain.median:.1f}" if plain else "–",
        f"{ours.median:.1f}" if ours else "–",
        ratio,
        *(f"{f['call_megabytes']:.0f}" if "call_megabytes" in f else "–" for f in (forward, fused)),
        "; ".join(f[kind] for f in (forward, fused) for kind in ("skipped", "failed") if kind in f),
    ]


def _draw_sweep(path: Path, sweep: Sweep, records: Mapping[int, Record]) -> None:
    panels = {
        "latency ÷ batch, ms": _curves(records, lambda f, batch: _median(f) / batch if _median(f) else None),
        "memory of a call, MB": _curves(records, lambda f, batch: f.get("call_megabytes")),
    }
    draw_curves(path, panels, sweep.axis, sweep.title)


def _median(figures: Figures) -> float:
    timing = timing_of(figures)
    return timing.median if timing else 0.0


def _curves(records: Mapping[int, Record], value: Callable[[Figures, int], float | None]) -> Curves:
    """A quantity of each candidate by what differs, where it is known."""
    curves: Curves = {}
    for x, record in records.items():
        for key, figures in record.figures.items():
            y = value(figures, record.subject["batch"])
            if y is not None:
                curves.setdefault(f"{CANDIDATES[key].label}, {CANDIDATES[key].runtime}", {})[x] = y
    return curves


def _compiling_table(compiled: Mapping[str, Figures]) -> str:
    stages = list(dict.fromkeys(stage for figures in compiled.values() for stage in figures.get("stages", ())))
    header = [
        "network",
        "parameters, M",
        "compiling, s",
        "again, s",
        *(f"{stage}, s" for stage in stages),
        "memory, MB",
        "artifact, MB",
        "export of the forward, s",
        "its file, MB",
        "remarks",
    ]
    rows = []
    for model, figures in _ordered(compiled).items():
        if "failed" in figures:
            rows.append([model, *["–"] * (len(header) - 2), figures["failed"]])
            continue
        rows.append(
            [
                model,
                f"{figures['parameters'] / 1e6:.1f}",
                f"{figures['seconds']:.1f}",
                f"{figures['again_seconds']:.1f}",
                *(f"{figures['stages'][stage]:.1f}" for stage in stages),
                f"{figures['peak_megabytes']:.0f}",
                f"{figures['megabytes']:.0f}",
                f"{figures['forward_seconds']:.1f}",
                f"{figures['forward_megabytes']:.0f}",
                "",
            ]
        )
    return markdown_table(header, rows)


def _length_table(by_length: Mapping[int, Figures]) -> str:
    header = ["length", "compiling, s", "memory before, MB", "its peak, MB", "artifact, MB", "remarks"]
    rows = []
    for length, figures in sorted(by_length.items()):
        if "failed" in figures:
            rows.append([f"{length:,}", *["–"] * (len(header) - 2), figures["failed"]])
            continue
        amounts = (figures[f"{name}megabytes"] for name in ("before_", "peak_"))
        row = [f"{length:,}", f"{figures['seconds']:.1f}", *(f"{amount:.0f}" for amount in amounts)]
        rows.append([*row, f"{figures['megabytes']:.2f}", ""])
    return markdown_table(header, rows)


def _recurrent_table(unrolled: Mapping[tuple[str, int], Figures]) -> str:
    stages = list(dict.fromkeys(stage for figures in unrolled.values() for stage in figures.get("stages", ())))
    header = ["network", "steps", "compiling, s", "a step, s", *(f"{stage}, s" for stage in stages)]
    header += ["memory, MB", "artifact, MB", "remarks"]
    rows = []
    for (network, steps), figures in sorted(unrolled.items()):
        row = [network, str(steps)]
        if "failed" in figures:
            rows.append([*row, *["–"] * (len(header) - 3), figures["failed"]])
            continue
        seconds = figures["processor_seconds"]
        row += [f"{seconds:.1f}", f"{seconds / steps:.2f}", *(f"{figures['stages'][stage]:.1f}" for stage in stages)]
        rows.append([*row, f"{figures['peak_megabytes']:.0f}", f"{figures['megabytes']:.2f}", ""])
    return markdown_table(header, rows)


def _draw_compiling(path: Path, compiled: Mapping[str, Figures]) -> None:
    known = [f for model, f in _ordered(compiled).items() if "failed" not in f and "." not in model]

    def curve(name: str) -> Curve:
        return {f["parameters"] / 1e6: f[name] for f in sorted(known, key=lambda f: float(f["parameters"]))}

    panels = {
        "time, s": {"fused artifact": curve("seconds"), "forward only": curve("forward_seconds")},
        "file, MB": {"fused artifact": curve("megabytes"), "forward only": curve("forward_megabytes")},
    }
    draw_curves(path, panels, "parameters, millions", "Compiling by size of the model")


def _ordered(compiled: Mapping[str, Figures]) -> dict[str, Figures]:
    """In the order of the sweep, and others after it."""
    return {model: compiled[model] for model in (*COMPILED, *compiled) if model in compiled}
