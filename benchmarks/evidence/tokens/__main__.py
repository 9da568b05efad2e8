"""Which rule set and ψ say best what a Transformer's class rests on? Tokens are removed by what each method says.

    python -m benchmarks.evidence.tokens [--subjects vision-transformer …] [--methods libragrad-signed …]

Needs the extras ``cpu``, ``compile`` and ``text``, the group ``evidence``, and what ``examples.sentiment`` needs. Each
subject and method is a line of ``results/tokens.jsonl``; what is there is not measured again. ``results/tokens.md`` is
made of all lines.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fgcompile
from benchmarks.evidence.intervals import interval
from benchmarks.evidence.tokens import removal
from benchmarks.evidence.tokens.methods import METHODS
from benchmarks.evidence.tokens.removal import removal_areas
from benchmarks.evidence.tokens.subjects import SUBJECTS
from benchmarks.harness.environment import RESULTS, markdown_table
from benchmarks.harness.records import Store, describe

PACKAGES = ("torch", "onnxruntime", "captum")
MEASURES = ("gap", "most_first", "least_first")
HEADER = ["method", "gap", "most first", "least first"]


def main(arguments: list[str] | None = None) -> int:
    """Measures what is asked for and not yet known, and writes the report; returns the exit status."""
    options = _parse(arguments)
    warnings.simplefilter("ignore", fgcompile.RulesWarning)
    store = Store(options.results / "tokens.jsonl", ("subject", "method"), PACKAGES)
    for name in options.subjects:
        missing = [method for method in options.methods if not store.has({"subject": name, "method": method})]
        subject = SUBJECTS[name]() if missing else None
        for method in missing:
            assert subject is not None
            areas = removal_areas(subject, METHODS[method][1](subject))
            figures = {measure: interval(getattr(areas, measure))[0] for measure in MEASURES}
            record = {"subject": name, "method": method, "label": subject.label, "samples": len(subject.present)}
            store.append(record | figures)
            print(f"{name}, {method}: gap {_cell(figures['gap'])}", flush=True)
    (options.results / "tokens.md").write_text(_report(store))
    return 0


def _report(store: Store) -> str:
    results = store.read()
    lines = ["# Tokens removed by what a method says", "", describe(results, "benchmarks.evidence.tokens"), ""]
    lines += [(removal.__doc__ or "").strip(), "", "Means over the samples, with 95 % intervals by bootstrap.", ""]
    for name in SUBJECTS:
        rows = [result for result in results if result["subject"] == name]
        if rows:
            table = markdown_table(HEADER, [_row(row) for row in sorted(rows, key=lambda row: -row["gap"][0])])
            lines += [f"## {rows[0]['label']}, {rows[0]['samples']} samples", "", table, ""]
    return "\n".join(lines)


def _row(result: Mapping[str, Any]) -> list[str]:
    return [METHODS[result["method"]][0], *(_cell(result[measure]) for measure in MEASURES)]


def _cell(figures: list[float]) -> str:
    mean, low, high = figures
    return f"{mean:.3f} ({low:.3f} to {high:.3f})"


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.evidence.tokens",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--subjects", nargs="+", choices=SUBJECTS, default=list(SUBJECTS), metavar="NAME")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), metavar="NAME")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder of the records and the report")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
