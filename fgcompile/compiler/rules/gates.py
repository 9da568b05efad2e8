"""Gated activations are linear once their gate is a constant: ``η(x) = x · gate(x)  →  x · detach(gate(x))``.

LibraGrad (CVPR 2025) and AttnLRP (ICML 2024) both keep the gate and let the relevance pass through ``x`` alone.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from fgcompile.compiler.ir.torch_internals import OpOverload
from fgcompile.compiler.rules.rewriting import Rewrite, where_active

aten = torch.ops.aten


def gelu(self: Tensor, *, approximate: str) -> Tensor:
    """``x · ½ (1 + erf(x/√2))``, or its approximation ``x · ½ (1 + tanh(√(2/π) (x + 0.044715 x³)))``."""
    x = self.detach()
    if approximate == "tanh":
        sigmoidal = torch.tanh(x * (x * x * 0.044715 + 1.0) * math.sqrt(2 / math.pi))
    else:
        sigmoidal = torch.erf(x * math.sqrt(0.5))
    return self * ((sigmoidal + 1.0) * 0.5)


def silu(self: Tensor) -> Tensor:
    """``x · σ(x)``."""
    return self * torch.sigmoid(self.detach())


def mish(self: Tensor) -> Tensor:
    """``x · tanh(log(1 + eˣ))``."""
    return self * torch.tanh(F.softplus(self.detach()))


def hardswish(self: Tensor) -> Tensor:
    """``x · min(max(x + 3, 0), 6)/6``."""
    return self * F.hardsigmoid(self.detach())


GATED: dict[OpOverload, Rewrite] = {
    aten.gelu.default: where_active(gelu, "self"),
    aten.silu.default: where_active(silu, "self"),
    aten.mish.default: where_active(mish, "self"),
    aten.hardswish.default: where_active(hardswish, "self"),
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
