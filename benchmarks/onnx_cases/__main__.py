"""Runs the node cases of ``onnx.backend.test`` through the importer of ONNX files, operator by operator.

    python -m benchmarks.onnx_cases

Needs the extra ``compile``; writes ``results/onnx_cases.md``. Each case is a file of one operator, or of its
definition by others, that is read and run in PyTorch; dtypes, shapes and values are compared at the case's tolerance.
"""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Sequence

from rich.progress import track

from benchmarks.harness.environment import facts, markdown_table, publish
from benchmarks.onnx_cases.cases import Case, cases, run
from benchmarks.onnx_cases.left_out import reason
from fgcompile.compiler.capture.onnx.operators import OPERATORS

PACKAGES = ("torch", "onnx", "onnx-ir")
LEGEND = """\
- *passed*: the outputs are the case's.
- *failed*: they are not, or it cannot be read.
- *left out*: as the table `LEFT_OUT` of `benchmarks/onnx_cases/left_out.py` says, and a test holds it to.
- *of others*: the operator's definition by others, some of which are not read."""


def main() -> None:
    warnings.simplefilter("ignore")
    table = {operator: found for operator, found in sorted(cases().items()) if operator in OPERATORS}
    without = sorted(name for domain, name in OPERATORS if not domain and (domain, name) not in table)
    counts = {operator: _counts(table[operator]) for operator in track(table, "operators")}
    columns = ("passed", "failed", "left out", "of others")
    total = Counter[str]()
    for count, _ in counts.values():
        total += count
    rows = [
        [f"`{'.'.join(filter(None, operator))}`", *(str(count[column]) for column in columns), "; ".join(why)]
        for operator, (count, why) in counts.items()
    ]
    rows.append(["**all**", *(str(total[column]) for column in columns), ""])
    missing = f"Operators of ONNX without a case: {', '.join(f'`{name}`' for name in without)}.\n\n" if without else ""
    body = f"{LEGEND}\n\n{missing}{markdown_table(['operator', *columns, 'why'], rows)}"
    publish("onnx_cases", "Operators of ONNX files", facts("benchmarks.onnx_cases", PACKAGES), body)


def _counts(found: Sequence[Case]) -> tuple[Counter[str], list[str]]:
    """How many of an operator's cases came to which end, and why they did not pass."""
    count: Counter[str] = Counter()
    why: dict[str, int] = defaultdict(int)
    for case in found:
        left, outcome = reason(case.name), run(case)
        if left:
            count["left out"] += 1
            why[left] += 1
        elif outcome.for_another:
            count["of others"] += 1
        elif outcome.failure:
            count["failed"] += 1
            why[f"{case.name}: {outcome.failure[:80]}"] += 1
        else:
            count["passed"] += 1
    return count, [f"{text} ({number})" if number > 1 else text for text, number in why.items()]


if __name__ == "__main__":
    main()
