"""The zoo's report: a table of every network, the shares that pass, and the reason of every failure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.harness.environment import markdown_table
from benchmarks.harness.records import Figures, Result, describe
from benchmarks.zoo.models import ZOO
from fgcompile.compiler.rules import RULE_SETS

COMPLETE = 1e-10
PARITY = 1e-4
"""The largest residual relative to Σ |terms|, and the largest relative difference of the logits, in float32."""

FORMAT_NAMES = {"onnx": "ONNX", "torchscript": "TorchScript"}


@dataclass
class Record:
    """What was measured of a network.

    Attributes:
        name: Its key in the zoo.
        stages: The stages that were to be tried.
        figures: Of each stage that succeeded, see ``benchmarks.zoo.measure``.
        failures: Of each stage that did not, the reason.
        peak_megabytes: The largest resident memory of its process; None if that did not come to its end.
    """

    name: str
    stages: list[str]
    figures: dict[str, Figures] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    peak_megabytes: float | None = None

    @classmethod
    def of(cls, result: Result) -> Record:
        """The record in a stored result."""
        return cls(**{name: result[name] for name in cls.__dataclass_fields__})


def completeness_passes(record: Record, rules: str) -> bool:
    """Whether the float64 full-gradient of a rule set adds up."""
    return bool(record.figures.get(f"completeness_{rules}", {}).get("error", 1.0) <= COMPLETE)


def artifact_passes(record: Record, format: str, rules: str) -> bool:
    """Whether the artifact was compiled, its terms add up and its logits are the model's."""
    figures = record.figures.get(f"{format}_{rules}", {})
    return all(figures.get(key, 1.0) <= PARITY for key in ("residual", "logits"))


def batch_passes(record: Record, format: str, rules: str) -> bool:
    """Whether the artifact gives the model's logits at a batch size it was not compiled with."""
    difference = record.figures.get(f"{format}_{rules}", {}).get("other_batch", 1.0)
    return isinstance(difference, float) and difference <= PARITY


def status(record: Record) -> str:
    """One line for the terminal: how many stages passed, or the first failure."""
    if not record.failures:
        return f"{len(record.figures)} stages"
    stage, reason = next(iter(record.failures.items()))
    return f"{stage}: {reason}"


def render(records: Mapping[str, Record], facts: str) -> str:
    """The report in Markdown."""
    tried = [stage for record in records.values() for stage in record.stages]
    rules_shown = [rules for rules in RULE_SETS if f"completeness_{rules}" in tried]
    pairs = [(format, rules) for format in FORMAT_NAMES for rules in rules_shown]
    header = [
        "network",
        "library",
        "domain",
        "input",
        "settings",
        "parameters",
        "operators",
        "sites",
        *(f"completeness {rules}" for rules in rules_shown),
        *(f"{FORMAT_NAMES[format]} {rules}: residual / logits / other batch" for format, rules in pairs),
        "compiling, s",
    ]
    rows = [_row(record, rules_shown, pairs) for record in records.values()]
    return "\n".join(
        [
            f"# The zoo\n\n{facts}",
            f"\n{_summary(records, rules_shown, pairs)}\n",
            markdown_table(header, rows),
            f"\n{_LEGEND}\n",
            "## Failures\n",
            *_failures(records),
            "",
        ]
    )


_LEGEND = f"""\
- *input*: of one sample. *settings*: what differs from the library's network of that name; sizes are small so that the
  whole table can be made on one core.
- *operators*: of the captured graph with every bias exposed. *sites*: the places where biases enter, by kind.
- *completeness*: largest `|f − Σ terms| / Σ |terms|` of `fgcompile.full_gradient` in float64, limit {COMPLETE:g}.
- *residual*: the same of the artifact, in float32; *logits*: largest difference from the eager model's, relative to the
  largest logit; *other batch*: the same at a batch size other than the compiled one; limits {PARITY:g}.
- *compiling*: the sum over formats and rule sets of what compiled. Where both rule sets leave one and the same graph,
  as of networks of convolutions and ReLUs, it is compiled once.
- Random weights (`benchmarks/networks/weights.py`) but for the library `trained`. Explained: the predicted class, or
  for outputs other than logits the function that `benchmarks/zoo/models.py` names."""


def _summary(records: Mapping[str, Record], rules_shown: list[str], pairs: list[tuple[str, str]]) -> str:
    total = len(records)
    kept = records.values()

    def share(passed: int) -> str:
        return f"{passed} of {total} ({passed / max(total, 1):.0%})"

    parts = [f"**Captured** {share(sum('capture' in record.figures for record in kept))}"]
    parts += [
        f"**complete** ({rules}) {share(sum(completeness_passes(record, rules) for record in kept))}"
        for rules in rules_shown
    ]
    for format, rules in pairs:
        label = f"{FORMAT_NAMES[format]} ({rules})"
        parts.append(f"**{label}** {share(sum(artifact_passes(record, format, rules) for record in kept))}")
        parts.append(f"at another batch {share(sum(batch_passes(record, format, rules) for record in kept))}")
    return "; ".join(parts) + "."


def _row(record: Record, rules_shown: list[str], pairs: list[tuple[str, str]]) -> list[str]:
    row, figures = ZOO[record.name], record.figures
    capture = figures.get("capture", {})
    parameters = figures.get("build", {}).get("parameters")
    compiled = [figures[stage] for stage in (f"{a}_{b}" for a, b in pairs) if stage in figures]
    seconds = [measured["seconds"] for measured in compiled if not measured.get("same_graph")]
    return [
        record.name,
        row.library,
        row.domain,
        _input_sizes(record.name),
        row.settings or "–",
        "–" if parameters is None else f"{parameters / 1e6:.2f} M",
        str(capture.get("operators", "✗")),
        ", ".join(f"{count} {kind}" for kind, count in capture.get("sites", {}).items()) or "✗",
        *(_completeness_cell(record, rules) for rules in rules_shown),
        *(_artifact_cell(record, format, rules) for format, rules in pairs),
        f"{sum(seconds):.0f}" if seconds else "–",
    ]


def _input_sizes(name: str) -> str:
    drawn = ZOO[name].draw(1, seed=0)
    tensors = drawn if isinstance(drawn, tuple) else (drawn,)
    return ", ".join("×".join(str(size) for size in tensor.shape[1:]) for tensor in tensors)


def _completeness_cell(record: Record, rules: str) -> str:
    figures = record.figures.get(f"completeness_{rules}")
    if figures is None:
        return "✗" if f"completeness_{rules}" in record.failures else "–"
    return f"{figures['error']:.0e} {'✓' if completeness_passes(record, rules) else '✗'}"


def _artifact_cell(record: Record, format: str, rules: str) -> str:
    stage = f"{format}_{rules}"
    figures = record.figures.get(stage)
    if figures is None:
        return "✗" if stage in record.failures else "–"
    other = figures["other_batch"]
    numbers = [f"{figures[key]:.0e} {'✓' if figures[key] <= PARITY else '✗'}" for key in ("residual", "logits")]
    batch = f"{other:.0e}" if isinstance(other, float) else ""
    return " / ".join([*numbers, f"{batch} {'✓' if batch_passes(record, format, rules) else '✗'}".strip()])


def _failures(records: Mapping[str, Record]) -> list[str]:
    lines = []
    for record in records.values():
        reasons: dict[str, list[str]] = {}
        for stage, reason in record.failures.items():
            reasons.setdefault(reason, []).append(stage)
        for stage, figures in record.figures.items():
            if isinstance(figures.get("other_batch"), str):
                reasons.setdefault(figures["other_batch"], []).append(f"{stage}, other batch")
        lines += [f"- {record.name}, {', '.join(stages)}: {reason}" for reason, stages in reasons.items()]
    return lines or ["None."]


def write_report(folder: Path, results: Mapping[str, Result]) -> None:
    """Writes ``zoo.md``, networks in the order of the zoo."""
    records = {name: Record.of(results[name]) for name in ZOO if name in results}
    facts = describe(results.values(), "python -m benchmarks.zoo")
    (folder / "zoo.md").write_text(render(records, facts))
