"""Writes the tables of supported operators, of ATen and of ONNX files, from the compiler's registries.

    python -m tools.generate_operators

A test holds the committed files to what this prints, so a new row in a registry needs a new run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from fgcompile.compiler.biases import FALLBACK, bias_table
from fgcompile.compiler.capture.onnx.control import CONTROL
from fgcompile.compiler.capture.onnx.operators import FAMILIES as ONNX_FAMILIES
from fgcompile.compiler.capture.onnx.operators import FAMILIES_OF_MICROSOFT, FAMILIES_OF_ML, MICROSOFT, ML
from fgcompile.compiler.capture.onnx.upgrade import OLDEST, OPSET
from fgcompile.compiler.lowering import FAMILIES
from fgcompile.compiler.rules import attnlrp, libragrad

DOCS = Path(__file__).parents[1] / "docs"

INTRODUCTION = """\
# Supported operators

Made by `python -m tools.generate_operators` from the compiler's own tables; do not edit by hand.

A model is captured as a graph of ATen operators `y = g(a₁ … aₖ)`. Three tables say what the compiler knows of them: how
the bias of each operator is obtained, what the rule set `libragrad` makes of it, and how the backward operators that
PyTorch's autograd leaves behind are written with operators that every runtime has."""

BIASES = """\
## Biases

The bias of an operator is the intercept of its tangent, `b = y − Σ J_i a_i`, over the operands that depend on the input
(the active ones). "Explicit input" means that the bias is a constant of the model and becomes an input of the exposed
graph. An operator in no row takes the last one, which is exact for every twice differentiable operator; one without
a derivative is an error."""

RULES = """\
## Rules

The rule set `taylor` differentiates the captured graph as it is. `libragrad` and `attnlrp` first rewrite these
operators, as the file in `fgcompile/compiler/rules` says; where two stand here, the second is that of `attnlrp`. Every
other operator keeps its true gradient."""

LOWERINGS = """\
## Lowerings

Operators that are rewritten while the fused graph is traced, and the file in `fgcompile/compiler/lowering` that does
it. Every other operator stays as it is."""

ONNX = f"""\
# Operators of ONNX files

Made by `python -m tools.generate_operators` from the importer's own table; do not edit by hand.

A file is brought from opset {OLDEST} or later to opset {OPSET}, whose definitions the rows have: a file of
`fgcompile/compiler/capture/onnx/operators` is a family. Shapes, axes and other numbers that a graph is built with are
constants of the file or computed from sizes; "sizes" marks what is computed of symbols too, such as the batch. What the
rows compute is compared with ONNX's own cases, [onnx_cases.md](../benchmarks/results/onnx_cases.md) has the figures.
[operators.md](operators.md) says what becomes of the operators in an explanation."""


_ONNX_DOMAINS = (("", ONNX_FAMILIES), (f"{MICROSOFT}.", FAMILIES_OF_MICROSOFT), (f"{ML}.", FAMILIES_OF_ML))


def render() -> str:
    """The document of ATen's operators as Markdown."""
    return "\n\n".join([INTRODUCTION, *(section() for section in SECTIONS)]) + "\n"


def _render_biases() -> str:
    rows = sorted([f"`{operator}`", rule.kind, rule.formula] for operator, rule in bias_table().items())
    rows.append(["any other", FALLBACK.kind, FALLBACK.formula])
    return f"{BIASES}\n\n{_table(['operator', 'kind', 'bias'], rows)}"


def _render_rules() -> str:
    tables = [rules.rewrite_table() for rules in (libragrad, attnlrp)]
    rows = [[f"`{operator}`", *_files(operator, tables)] for operator in {**tables[0], **tables[1]}]
    return f"{RULES}\n\n{_table(['operator', 'file', 'how'], sorted(rows))}"


def _files(operator: Any, tables: Iterable[Mapping[Any, Any]]) -> tuple[str, str]:
    """Where an operator's rows are, and what the first of them does."""
    modules = dict.fromkeys(table[operator].__module__ for table in tables if operator in table)
    return ", ".join(f"`{module.rpartition('.')[2]}.py`" for module in modules), _summary(
        sys.modules[next(iter(modules))]
    )


def _render_lowerings() -> str:
    rows = sorted(
        [f"`{operator}`", f"`{family.__name__.rpartition('.')[2]}.py`", _describe(lowering)]
        for family in FAMILIES
        for operator, lowering in family.LOWERINGS.items()
    )
    return f"{LOWERINGS}\n\n{_table(['operator', 'file', 'how'], rows)}"


def render_onnx() -> str:
    """The document of ONNX's operators as Markdown."""
    rows = [
        [f"`{domain}{name}`", family, "yes" if row.on_numbers is not None else "", row.note]
        for domain, families in _ONNX_DOMAINS
        for family, table in families.items()
        for name, row in table.items()
    ]
    rows += [[f"`{name}`", "control", "", _summary(control)] for name, control in CONTROL.items()]
    return f"{ONNX}\n\n{_table(['operator', 'family', 'sizes', 'how'], sorted(rows))}\n"


DOCUMENTS: dict[Path, Callable[[], str]] = {DOCS / "operators.md": render, DOCS / "onnx-operators.md": render_onnx}
"""What is made, and how."""

SECTIONS = (_render_biases, _render_rules, _render_lowerings)
"""One function for each registry."""


def _table(header: list[str], rows: list[list[str]]) -> str:
    """In Markdown, all columns aligned left."""
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [header, ["---"] * len(header), *rows])


def _describe(lowering: Callable[..., object]) -> str:
    return "PyTorch's own decomposition." if lowering.__module__.startswith("torch.") else _summary(lowering)


def _summary(documented: object) -> str:
    """The first paragraph of a docstring, on one line and in Markdown's quotes.

    Raises:
        ValueError: There is no docstring.
    """
    if not documented.__doc__:
        raise ValueError(f"{documented} has no docstring: say in one line what it rewrites")
    paragraph = " ".join(documented.__doc__.strip().partition("\n\n")[0].split())
    return paragraph.replace("``", "`").replace("|", "\\|")


if __name__ == "__main__":
    for path, make in DOCUMENTS.items():
        path.write_text(make(), encoding="utf-8")
        print(path)
