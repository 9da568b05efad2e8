"""The report on random networks of kinds: outcomes, reasons of refusals, worst errors."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from statistics import median

from benchmarks.exactness.random_graphs.kinds.table import KINDS
from benchmarks.harness.environment import markdown_table
from benchmarks.harness.records import Result, describe

COMMAND = "python -m benchmarks.exactness.random_graphs.kinds"
OUTCOMES = ("right", "refused", "wrong", "crashed")
LEGEND = """\
Networks of what people write beside plain layers, drawn with random shapes, indices, ways and weights, compiled to
TorchScript and ONNX in turns and run in batches of 1, 2 and 5, those of dynamic sizes at other sizes too. The oracle is
eager autograd in float64 (`kinds/oracle.py`): values, gradients, what each part adds to the score, and the signed map
place by place where the parts do not mix places. *Refused*: by an error of ours, with its reason. *Wrong*: a figure
above its limit, or a check of the compiler's own that failed. *Crashed*: any other error."""


def render(results: Sequence[Result]) -> str:
    """The whole report."""
    counts = Counter((result["kind"], result["outcome"]) for result in results)
    rows = [[kind, *(str(counts[kind, outcome]) for outcome in OUTCOMES)] for kind in KINDS]
    rows.append(["all", *(str(sum(r["outcome"] == outcome for r in results)) for outcome in OUTCOMES)])
    seconds = [result["seconds"] for result in results]
    cost = f"{len(results)} networks, {median(seconds):.1f} s of one core each (median)." if seconds else "None yet."
    parts = [
        "# Random networks by kind",
        describe(results, COMMAND),
        LEGEND,
        cost,
        markdown_table(["kind", *OUTCOMES], rows),
        "## Errors",
        _errors(results),
        *(_reasons(results, outcome) for outcome in OUTCOMES[1:]),
    ]
    return "\n\n".join(parts) + "\n"


def _errors(results: Sequence[Result]) -> str:
    """Of what was right: half weights apart, whose limits are others."""
    measured: dict[str, list[float]] = {}
    for result in results:
        if result["outcome"] == "right":
            weights = " (half weights)" if result["kind"] == "half" else ""
            for name, value in result["figures"].items():
                measured.setdefault(name + weights, []).append(value)
    return markdown_table(
        ["property", "networks", "median error", "worst error"],
        [[name, str(len(values)), f"{median(values):.1e}", f"{max(values):.1e}"] for name, values in measured.items()],
    )


def _reasons(results: Sequence[Result], outcome: str) -> str:
    """Each reason with its kinds and numbers; layers and numbers in it may differ."""
    found: dict[str, list[Result]] = {}
    for result in results:
        if result["outcome"] == outcome:
            found.setdefault(re.sub(r"'[^']*'|\d[\w.+-]*", "…", result["reason"]), []).append(result)
    lines = [
        f"- {len(same)} networks: {same[0]['reason']}\n  ("
        + ", ".join(f"{one['kind']} {one['index']}" for one in same[:12])
        + (", …)" if len(same) > 12 else ")")
        for same in sorted(found.values(), key=len, reverse=True)
    ]
    return f"## {outcome.capitalize()}\n\n" + ("\n".join(lines) or "None.")
