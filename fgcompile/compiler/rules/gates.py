"""Gated activations are linear once their gate is a constant: ``η(x) = x · gate(x)  →  x · detach(gate(x))``.

LibraGrad (CVPR 2025) and AttnLRP (ICML 2024) both keep the gate and let the relevance pass through ``x`` alone.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fgcompile.compiler.ir.gated import GATES, GELU, Gated
from fgcompile.compiler.ir.torch_internals import OpOverload
from fgcompile.compiler.rules.rewriting import Rewrite, where_active

aten = torch.ops.aten


def gelu(self: Tensor, *, approximate: str) -> Tensor:
    """``x · s(x)`` with the gate of the normal distribution, or its approximation by tanh."""
    return self * GELU[approximate].gate(self.detach())


def _gated(gated: Gated) -> Rewrite:
    return where_active(lambda self: self * gated.gate(self.detach()), "self")


GATED: dict[OpOverload, Rewrite] = {
    aten.gelu.default: where_active(gelu, "self"),
    **{operator: _gated(gated) for operator, gated in GATES.items()},
}


def _rescaled(operator: OpOverload) -> Rewrite:
    """``x · detach(f(x)/x)`` of an activation with ``f(0) = 0``, whose slope there is taken to be 1."""

    def equation(self: Tensor, **settings: Any) -> Tensor:
        x = self.detach()
        zero = x == 0
        value: Tensor = self * (operator(x, **settings).masked_fill(zero, 1.0) / x.masked_fill(zero, 1.0))
        return value

    return where_active(equation, "self")


RESCALED: dict[OpOverload, Rewrite] = {aten.tanh.default: _rescaled(aten.tanh.default)}
"""The identity rule of AttnLRP (section 3.1), ``R(x) = R(f(x))``, for what is no gated activation."""
