"""Writes the table of supported operators, ``docs/operators.md``, from the compiler's registries.

    python -m tools.generate_operators

A test holds the committed file to what this prints, so a new row in a registry needs a new run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from fgcompile.compiler.biases import FALLBACK, bias_table
from fgcompile.compiler.lowering import FAMILIES
from fgcompile.compiler.rules.libragrad import rewrite_table

PATH = Path(__file__).parents[1] / "docs" / "operators.md"

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

The rule set `taylor` differentiates the captured graph as it is. `libragrad` first rewrites these operators, as the
file in `fgcompile/compiler/rules` says; every other one keeps its true gradient."""

LOWERINGS = """\
## Lowerings

Operators that are rewritten while the fused graph is traced, and the file in `fgcompile/compiler/lowering` that does
it. Every other operator stays as it is."""


def render() -> str:
    """The document as Markdown."""
    return "\n\n".join([INTRODUCTION, *(section() for section in SECTIONS)]) + "\n"


def _render_biases() -> str:
    rows = sorted([f"`{operator}`", rule.kind, rule.formula] for operator, rule in bias_table().items())
    rows.append(["any other", FALLBACK.kind, FALLBACK.formula])
    return f"{BIASES}\n\n{_table(['operator', 'kind', 'bias'], rows)}"


def _render_rules() -> str:
    rows = sorted(
        [f"`{operator}`", f"`{rewrite.__module__.rpartition('.')[2]}.py`", _summary(sys.modules[rewrite.__module__])]
        for operator, rewrite in rewrite_table().items()
    )
    return f"{RULES}\n\n{_table(['operator', 'file', 'how'], rows)}"


def _render_lowerings() -> str:
    rows = sorted(
        [f"`{operator}`", f"`{family.__name__.rpartition('.')[2]}.py`", _describe(lowering)]
        for family in FAMILIES
        for operator, lowering in family.LOWERINGS.items()
    )
    return f"{LOWERINGS}\n\n{_table(['operator', 'file', 'how'], rows)}"


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
    PATH.write_text(render(), encoding="utf-8")
    print(PATH)
