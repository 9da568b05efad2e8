"""Writes the table of supported operators, ``docs/operators.md``, from the compiler's registries.

    python -m docs.generate_operators

A test holds the committed file to what this prints, so a new row in a registry needs a new run.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.environment import markdown_table
from fgcompile.biases import FALLBACK, bias_table
from fgcompile.lowering import FAMILIES

PATH = Path(__file__).parent / "operators.md"

INTRODUCTION = """\
# Supported operators

Made by `python -m docs.generate_operators` from the compiler's own tables; do not edit by hand.

A model is captured as a graph of ATen operators `y = g(a₁ … aₖ)`. Two tables say what the compiler knows of them: how
the bias of each operator is obtained, and how the backward operators that PyTorch's autograd leaves behind are written
with operators that every runtime has."""

BIASES = """\
## Biases

The bias of an operator is the intercept of its tangent, `b = y − Σ J_i a_i`, over the operands that depend on the input
(the active ones). "Explicit input" means that the bias is a constant of the model and becomes an input of the exposed
graph. An operator in no row takes the last one, which is exact for every twice differentiable operator; one without
a derivative is an error."""

LOWERINGS = """\
## Lowerings

Operators that are rewritten while the fused graph is traced, and the file in `fgcompile/lowering` that does it. Every
other operator stays as it is."""


def render() -> str:
    """The document as Markdown."""
    return "\n\n".join([INTRODUCTION, *(section() for section in SECTIONS)]) + "\n"


def _render_biases() -> str:
    rows = sorted([f"`{operator}`", rule.kind, rule.formula] for operator, rule in bias_table().items())
    rows.append(["any other", FALLBACK.kind, FALLBACK.formula])
    return f"{BIASES}\n\n{markdown_table(['operator', 'kind', 'bias'], rows, numbers=False)}"


def _render_lowerings() -> str:
    rows = sorted(
        [f"`{operator}`", f"`{family.__name__.rpartition('.')[2]}.py`", _summary(lowering)]
        for family in FAMILIES
        for operator, lowering in family.DECOMPOSITIONS.items()
    )
    return f"{LOWERINGS}\n\n{markdown_table(['operator', 'file', 'how'], rows, numbers=False)}"


SECTIONS = (_render_biases, _render_lowerings)
"""One function for each registry."""


def _summary(lowering: Callable[..., object]) -> str:
    """The first paragraph of a docstring, on one line and in Markdown's quotes.

    Raises:
        ValueError: The function is ours and has no docstring.
    """
    if lowering.__module__.startswith("torch."):
        return "PyTorch's own decomposition."
    if not lowering.__doc__:
        raise ValueError(f"{lowering} has no docstring: say in one line what it rewrites")
    paragraph = " ".join(lowering.__doc__.strip().partition("\n\n")[0].split())
    return paragraph.replace("``", "`").replace("|", "\\|")


if __name__ == "__main__":
    PATH.write_text(render(), encoding="utf-8")
    print(PATH)
