"""Draws forms of operators, attributes and shapes, reads each as a file of one node, and compares with ONNX Runtime.

    python -m benchmarks.onnx_fuzz [--seed S] [--count N] [--only OPERATOR] [--case NUMBER]

Needs the extras ``compile`` and ``cpu``; writes ``results/onnx_fuzz.md``, unless it is told which cases. Each failure
is printed with the command that draws it again.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import torch
from rich.progress import track

from benchmarks.harness.environment import facts, markdown_table, publish
from benchmarks.onnx_fuzz.cases import FAMILIES, Case, case
from benchmarks.onnx_fuzz.check import Result, check
from fgcompile.compiler.capture.onnx.operators import OPERATORS

PACKAGES = ("torch", "onnx", "onnx-ir", "onnxruntime")
COLUMNS = ("tried", "equal", "refused", "runtime refuses", "wrong")
LEGEND = """\
Nodes of one operator each, in random forms, opsets 7 to 24, operators in turn.

- *equal*: dtypes, shapes and values are ONNX Runtime's on the file, to 1e-4, and the gradient along one of three
  directions is that of central differences, in float64 to 1e-5, in float32 to 3e-2 where an operator computes in it. Of
  levels, whose gradient goes straight through rounding, the values alone are compared.
- *refused*: fgcompile says which node it does not read, and why.
- *runtime refuses*: ONNX Runtime does not run the file, so that nothing is compared.
- *wrong*: all others, listed below."""


def main() -> int:
    options = _options()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    if options.case is not None:
        drawn = case(options.seed, options.case, options.only)
        result = check(drawn)
        print(f"{drawn.describe()}: {result.outcome} {result.why}")
        return int(result.outcome == "wrong")
    found = [(number, drawn, check(drawn)) for number, drawn in _drawn(options)]
    wrong = [(number, drawn, result) for number, drawn, result in found if result.outcome == "wrong"]
    for number, drawn, result in wrong:
        print(f"{drawn.describe()}: {result.why}\n    {_command(options, number)}")
    body = _report([(drawn, result) for _, drawn, result in found])
    listed = "\n".join(f"- `{_command(options, number)}`: {drawn.describe()}: {r.why}" for number, drawn, r in wrong)
    if options.only:
        print(body)
    else:
        command = f"benchmarks.onnx_fuzz --seed {options.seed} --count {options.count}"
        publish(
            "onnx_fuzz",
            "Random forms of operators of ONNX files",
            facts(command, PACKAGES),
            f"{body}\n{listed}".strip(),
        )
    return int(bool(wrong))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.onnx_fuzz")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=3000, help="How many cases.")
    parser.add_argument("--only", action="append", default=[], metavar="OPERATOR", help="Of this operator alone.")
    parser.add_argument("--case", type=int, metavar="NUMBER", help="The case of that number, and nothing else.")
    return parser.parse_args()


def _drawn(options: argparse.Namespace) -> Sequence[tuple[int, Case]]:
    numbers = track(range(options.count), "cases", disable=not sys.stderr.isatty())
    return [(number, case(options.seed, number, options.only)) for number in numbers]


def _command(options: argparse.Namespace, number: int) -> str:
    only = "".join(f" --only {name}" for name in options.only)
    return f"python -m benchmarks.onnx_fuzz --seed {options.seed}{only} --case {number}"


def _report(found: Sequence[tuple[Case, Result]]) -> str:
    counts: Mapping[str, Counter[str]] = defaultdict(Counter)
    why: Mapping[str, Counter[str]] = defaultdict(Counter)
    for drawn, result in found:
        for family in (drawn.family, "**all**"):
            counts[family].update(["tried", result.outcome])
        if result.outcome in ("refused", "runtime refuses"):
            why[result.outcome][drawn.operator[1]] += 1
    rows = [
        [family, *(str(counts[family][column]) for column in COLUMNS)]
        for family in (*FAMILIES, "**all**")
        if counts[family]
    ]
    lines = [
        f"{outcome.capitalize()}: {', '.join(f'`{name}` {count}' for name, count in why[outcome].most_common())}."
        for outcome in ("refused", "runtime refuses")
        if why[outcome]
    ]
    drawn_rows = {operator for rows_of in FAMILIES.values() for operator in rows_of}
    left = sorted(".".join(filter(None, operator)) for operator in OPERATORS.keys() - drawn_rows)
    lines.append(f"Rows of the table that are not drawn: {', '.join(f'`{name}`' for name in left)}.")
    return "\n\n".join([LEGEND, markdown_table(["family", *COLUMNS], rows), *lines])


if __name__ == "__main__":
    sys.exit(main())
