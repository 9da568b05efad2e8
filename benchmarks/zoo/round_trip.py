"""Exports the zoo's networks to ONNX, reads the files back, and holds their maps to those of the PyTorch networks.

    python -m benchmarks.zoo.round_trip [--only PATTERN] [--again [NAME …]] [--limit 600] [--report-only]

Needs what ``benchmarks.zoo`` does. Both of PyTorch's exporters write each network, with a dynamic batch where they can.
Every network has its own process; records are appended to ``results/round_trip.jsonl`` as they come, and a later run
measures only what is missing or was measured with other versions. ``results/round_trip.md`` is written after each.
"""

from __future__ import annotations

import argparse
import fnmatch
import os
import sys
from collections import Counter
from collections.abc import Mapping, Sequence

from rich.console import Console

from benchmarks.harness.environment import RESULTS, markdown_table
from benchmarks.harness.isolated import IsolatedError, run_isolated
from benchmarks.harness.progress import show_progress
from benchmarks.harness.records import Figures, Result, Store, describe
from benchmarks.zoo.exporting import EXPORTERS, OPSET, OTHER
from benchmarks.zoo.models import ZOO
from benchmarks.zoo.reading_back import CLOSE, DRAWS

PACKAGES = ("torch", "torchvision", "timm", "transformers", "onnx", "onnx-ir", "onnxscript", "onnxruntime")
STORE = Store(RESULTS / "round_trip.jsonl", ("name", "machine", "versions"), PACKAGES)

SAME, ROUNDED, FOLDED, DIFFERENT = "same map", "same to rounding", "folded biases", "another map"
UNREAD, UNWRITTEN = "not read", "not exported"

LEGEND = f"""\
- *exporter*: `dynamo` is `torch.onnx.export(dynamo=True)`, `torchscript` `dynamo=False` with opset {OPSET}. *batch*:
  that of the file; 1 where the exporter writes no other of which ONNX Runtime gives the network's outputs, and the
  importer is to find the batch itself.
- *logits*, *map*, *input gradient*: how far the file's are from the network's, relative to the largest: of each batch
  of 1 and {OTHER} the median over its samples, of both the larger. Both are computed in float64, of the graph that
  the compiler captures; the file's weights are float32, and the exporters fold them. Limit {CLOSE:g}.
- *artifact*: of some networks, how far logits and maps of the file's ONNX artifact are from those of the network's,
  both compiled and run in float32.
- *{SAME}*: all three are below it.
- *{ROUNDED}*: they are within twice what it makes to the network itself that a third of its float32 weights are one
  unit in the last place larger or smaller, the largest of {DRAWS} draws: some ReLUs of a deep network turn over.
- *{FOLDED}*: the exporter makes one bias of that of a convolution and that of the BatchNorm behind it, whose terms the
  map of the network takes apart: logits and input gradient are the same, and so is the map of the file that the
  exporter writes without that (`optimize=False`, or `training=TrainingMode.PRESERVE`).
- *{UNWRITTEN}*: the exporter fails, or ONNX Runtime does not give the network's outputs; not counted.
- Random weights as in the [zoo](zoo.md); what is explained too."""


def outcome(figures: Figures) -> str:
    """In a word, what became of a network by an exporter."""
    if "stage" in figures:
        return UNREAD if figures["stage"] == "read" else UNWRITTEN
    if _close(figures):
        return SAME
    rounding = figures.get("rounding", {})
    if rounding and all(figures[kind] <= max(CLOSE, 2 * rounding[kind]) for kind in KINDS if kind in figures):
        return ROUNDED
    return FOLDED if _close({**figures, "saliency": 0.0}) and _close(figures.get("unfolded", {})) else DIFFERENT


def _close(figures: Figures) -> bool:
    return all(figures.get(kind, CLOSE if kind == "input_gradient" else 1.0) <= CLOSE for kind in KINDS)


CAUSE = "cause, or why a batch of 1"

KINDS = ("logits", "saliency", "input_gradient")


def cause(figures: Figures) -> str:
    """Why a network has no map of its own by an exporter, or its file a batch of one."""
    if outcome(figures) == FOLDED:
        return f"map of the unfolded file {figures['unfolded']['saliency']:.0e}"
    if outcome(figures) == ROUNDED:
        own = ", ".join(f"{figures['rounding'][kind]:.0e}" for kind in KINDS if kind in figures)
        return f"other roundings of the network's weights make {own}"
    reason = figures.get("reason") or figures.get("dynamic") or ""
    return reason.replace("|", "\\|")


def render(results: Mapping[str, Result]) -> str:
    """The report in Markdown."""
    rows, counts = [], {exporter: Counter[str]() for exporter in EXPORTERS}
    for name, result in results.items():
        for exporter in EXPORTERS:
            figures = result["exporters"][exporter]
            found = outcome(figures)
            counts[exporter][found] += 1
            numbers = [f"{figures[kind]:.0e}" if kind in figures else "–" for kind in KINDS]
            artifact = figures.get("artifact", "–")
            numbers.append(f"{artifact:.0e}" if isinstance(artifact, float) else artifact.replace("|", "\\|"))
            rows.append([name, exporter, str(figures.get("batch", "–")), found, *numbers, cause(figures)])
    header = ["network", "exporter", "batch", "result", "logits", "map", "input gradient", "artifact", CAUSE]
    facts = describe(results.values(), "python -m benchmarks.zoo.round_trip")
    lines = [f"{len(results)} of the {len(ZOO)} networks of the zoo.\n"] if len(results) < len(ZOO) else []
    lines += [_share(exporter, counts[exporter]) for exporter in EXPORTERS]
    parts = [
        f"# Round trip through ONNX files\n\n{facts}\n",
        *lines,
        "",
        LEGEND,
        "",
        markdown_table(header, rows, False),
    ]
    return "\n".join([*parts, ""])


def _share(exporter: str, count: Counter[str]) -> str:
    written = count.total() - count[UNWRITTEN]
    parts = ", ".join(f"{count[kind]} {kind}" for kind in (SAME, ROUNDED, FOLDED, DIFFERENT, UNREAD) if count[kind])
    same = count[SAME] + count[ROUNDED]
    share, explained = (f"{number / max(written, 1):.0%}" for number in (same, same + count[FOLDED]))
    return (
        f"- **{exporter}**: {share} of {written} that are exported come back with the same map, {explained} with those "
        f"of folded biases ({parts}; {count[UNWRITTEN]} {UNWRITTEN})."
    )


def known() -> dict[str, Result]:
    """The results of earlier runs on this machine with these versions, in the order of the zoo."""
    found = {result["name"]: result for result in STORE.current()}
    return {name: found[name] for name in ZOO if name in found}


def _measure(name: str, limit: float) -> dict[str, Figures]:
    try:
        found: dict[str, Figures] = run_isolated("benchmarks.zoo.reading_back:read_back_alone", {"name": name}, limit)
    except IsolatedError as error:
        return {exporter: {"stage": "read", "reason": str(error)} for exporter in EXPORTERS}
    return found


def _chosen(options: argparse.Namespace) -> Sequence[str]:
    names = [
        name
        for name, row in reversed(ZOO.items())  # small networks stand last
        if fnmatch.fnmatch(name, options.only) or fnmatch.fnmatch(row.library, options.only)
    ]
    if options.again:
        return [name for name in names if name in options.again]
    done = known()
    return names if options.again is not None else [name for name in names if name not in done]


def main(arguments: list[str] | None = None) -> int:
    """Measures the networks asked for and writes the report; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.zoo.round_trip", description=__doc__)
    parser.add_argument("--only", default="*", metavar="PATTERN", help="networks whose name or library matches")
    parser.add_argument("--again", nargs="*", metavar="NAME", help="measure these again, or all if none is named")
    parser.add_argument("--limit", type=float, default=600, help="seconds for one network")
    parser.add_argument("--report-only", action="store_true", help="write the report of what is known")
    options = parser.parse_args(arguments)

    os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    chosen = [] if options.report_only else _chosen(options)
    with show_progress("round trip", len(chosen)) as begin:
        for name in chosen:
            begin(name)
            found = _measure(name, options.limit)
            STORE.append({"name": name, "exporters": found})
            (RESULTS / "round_trip.md").write_text(render(known()))
            shown = ", ".join(f"{exporter} {outcome(figures)}" for exporter, figures in found.items())
            Console(stderr=True).print(f"{name}: {shown}")
    (RESULTS / "round_trip.md").write_text(render(known()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
