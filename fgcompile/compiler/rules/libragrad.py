"""The rule set ``libragrad``: gates, attention weights and the scales of normalisations count as constants.

A product of two activations splits evenly.

Sources: Mehri et al., "LibraGrad: Balancing Gradient Flow for Universally Better Vision Transformer Attributions", CVPR
2025, whose rules these are; gates and products as in AttnLRP (``fgcompile.compiler.rules.attnlrp``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fgcompile.compiler.ir.programs import CapturedProgram
from fgcompile.compiler.ir.runner import as_pass
from fgcompile.compiler.ir.tables import join_tables
from fgcompile.compiler.rules.gates import GATED
from fgcompile.compiler.rules.linearization import linearized
from fgcompile.compiler.rules.normalization import NORMALIZATION
from fgcompile.compiler.rules.products import PRODUCTS
from fgcompile.compiler.rules.rewriting import Rewrite
from fgcompile.compiler.rules.weights import GATES_AND_SCALES


def rewrite_table() -> Mapping[Any, Rewrite]:
    """Every row, by operator.

    Raises:
        ValueError: Two families have a row for the same operator.
    """
    return join_tables("the table of rewrites", (GATED, NORMALIZATION, PRODUCTS))


@as_pass()
def linearize(captured: CapturedProgram) -> CapturedProgram:
    """The program with the gradient of LibraGrad; the given one is left as it is."""
    return linearized(captured, rewrite_table(), GATES_AND_SCALES)
