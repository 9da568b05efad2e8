"""The rule set ``attnlrp``: softmax keeps its Jacobian, and every product of activations splits evenly.

    softmax(a) · v  →  ½ detach(softmax(a)) · v + ½ softmax(a) · detach(v),    and q kᵀ in the same way
    f(x)            →  x · detach(f(x)/x)    for an activation f with f(0) = 0
    γ (x − m)/√(v + ε) + β  →  γ (x − m) · detach(1/√(v + ε)) + β

So the relevance reaches queries and keys too, a quarter of an attention's each where values get a half, with what
softmax's own bias ``b = y − J x`` keeps. Activations that are not 0 at 0, as a sigmoid, keep their true gradient.

Source: Achtibat et al., "AttnLRP: Attention-Aware Layer-Wise Relevance Propagation for Transformers", ICML 2024,
sections 3.1 to 3.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from fgcompile.compiler.ir.programs import CapturedProgram
from fgcompile.compiler.ir.runner import as_pass
from fgcompile.compiler.ir.tables import join_tables
from fgcompile.compiler.rules.gates import GATED, RESCALED
from fgcompile.compiler.rules.linearization import linearized
from fgcompile.compiler.rules.normalization import NORMALIZATION
from fgcompile.compiler.rules.products import PRODUCTS, halves, holding
from fgcompile.compiler.rules.rewriting import Equation, Rewritable, Rewrite
from fgcompile.compiler.rules.weights import SCALES, is_gate_of, is_share

aten = torch.ops.aten


def _product(call: Rewritable) -> Equation | None:
    """A product of two activations in equal shares; of an activation and its own gate, the gate is held constant."""
    if not (call.is_active("self") and call.is_active("other")):
        return None
    first, second = call.arguments["self"], call.arguments["other"]
    held = "self" if call.is_weight("self") or is_gate_of(first, second, call.active) else ""
    if call.is_weight("other") or is_gate_of(second, first, call.active):
        held = "" if held else "other"  # both are: neither goes before
    return holding(call.operator, held) if held else halves(call.operator, "self", "other")


def _quotient(call: Rewritable) -> Equation | None:
    """What divides counts as a constant, as the scale of a normalisation; but not where it makes shares, as softmax."""
    both = call.is_active("self") and call.is_active("other")
    if not both or is_share(call.arguments["self"], call.arguments["other"]):
        return None
    return holding(call.operator, "other")


OWN: Mapping[Any, Rewrite] = {aten.mul.Tensor: _product, aten.div.Tensor: _quotient}
"""What stands here in place of the rows that LibraGrad has."""


def rewrite_table() -> Mapping[Any, Rewrite]:
    """Every row, by operator.

    Raises:
        ValueError: Two families have a row for the same operator.
    """
    products = {operator: rewrite for operator, rewrite in PRODUCTS.items() if operator not in OWN}
    return join_tables("the table of rewrites of attnlrp", (GATED, RESCALED, NORMALIZATION, products, OWN))


@as_pass()
def linearize(captured: CapturedProgram) -> CapturedProgram:
    """The program with the gradient of AttnLRP; the given one is left as it is."""
    return linearized(captured, rewrite_table(), SCALES)
