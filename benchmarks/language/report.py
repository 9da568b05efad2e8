"""The report of ``benchmarks.language``: what compiling takes, and what an explanation costs beside a forward pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.harness.environment import markdown_table
from benchmarks.harness.records import Result, describe

LEGEND = """\
Random weights, one thread; seconds are those of the processor. Compiled from a checkpoint in shards, checks in float64
and a run of the artifact included.
*Peak* is the most resident memory above that of the process before the checkpoint is loaded, and once a network of one
layer was compiled, as a multiple of the model's size in float32; the model itself and files that are mapped count.
*Worst check* of `verify` is the largest measured difference as a part of its limit."""

EXPLAINED = """\
Seconds of the processor for the next token of one text, medians, in turns with the forward pass, which is the same
artifact asked for the logits alone; the memory of the process at most."""


def report(results: Sequence[Result]) -> str:
    """The tables in Markdown."""
    parts = [
        "# Language models",
        describe(results, "python -m benchmarks.language") if results else "",
        LEGEND,
        markdown_table(
            [
                *("model", "parameters, M", "float32, MB", "compiling, s", "peak ÷ float32", "peak, MB"),
                *("in", "artifact, MB", "verified", "worst check", "remarks"),
            ],
            map(_compiled, results),
        ),
        "## Explaining",
        EXPLAINED,
        markdown_table(
            ["model", "length", "forward, s", "explanation, s", "explanation ÷ forward", "memory, MB"],
            [row for result in results for row in _explained(result)],
        ),
        "## Where the time goes",
        _stages(results),
    ]
    return "\n\n".join(parts) + "\n"


def _compiled(result: Result) -> list[str]:
    if "compiling" not in result:
        return [result["name"], *["–"] * 9, result.get("failed", "")]
    compiling, size = result["compiling"], 4 * result["parameters"] / 1e6
    stage, peak = max(compiling["peaks"].items(), key=lambda item: float(item[1]))
    verified = result.get("verified")
    return [
        result["name"],
        f"{result['parameters'] / 1e6:.1f}",
        f"{size:.0f}",
        f"{compiling['seconds']:.0f}",
        f"{peak / size:.2f}",
        f"{peak:.0f}",
        stage,
        f"{compiling['megabytes']:.0f}",
        "–" if verified is None else "yes" if verified["passed"] else "NO",
        "–" if verified is None else f"{verified['worst']:.2g}",
        result.get("failed", ""),
    ]


def _explained(result: Result) -> list[list[str]]:
    return [[result["name"], length, *_figures(figures)] for length, figures in result.get("explained", {}).items()]


def _figures(figures: Mapping[str, Any]) -> list[str]:
    if "failed" in figures:
        return ["–", "–", "–", f"– ({figures['failed']})"]
    forward, explanation = figures["forward"], figures["explanation"]
    ratio = f"{explanation / forward:.2f}"
    return [f"{forward:.3f}", f"{explanation:.3f}", ratio, f"{figures['peak_megabytes']:.0f}"]


def _stages(results: Sequence[Result]) -> str:
    known = [result for result in results if "compiling" in result]
    stages = list(dict.fromkeys(stage for result in known for stage in result["compiling"]["stages"]))
    rows = [
        [
            result["name"],
            *(
                f"{result['compiling']['stages'][stage]:.1f} s, {result['compiling']['peaks'][stage]:.0f} MB"
                for stage in stages
            ),
        ]
        for result in known
    ]
    return markdown_table(["model", *stages], rows)
