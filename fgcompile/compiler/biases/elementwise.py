"""Elementwise non-linearities: the implicit bias ``η(z) − η′(z) z`` of the paper, with ``η′`` from one VJP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from fgcompile.compiler.biases.formula import at_bounds, elementwise
from fgcompile.compiler.biases.rule import BiasRule, Implicit

aten = torch.ops.aten

ACTIVATIONS = (
    aten.gelu.default,
    aten.silu.default,
    aten.mish.default,
    aten.sigmoid.default,
    aten.tanh.default,
    aten.elu.default,
    aten.celu.default,
    aten.selu.default,
    aten.softplus.default,
    aten.log_sigmoid.default,
    aten.clamp.default,
    aten.hardswish.default,
    aten.hardsigmoid.default,
    aten.threshold.default,
    aten.erf.default,
    aten.exp.default,
    aten.expm1.default,
    aten.log.default,
    aten.log1p.default,
    aten.log2.default,
    aten.log10.default,
    aten.sin.default,
    aten.cos.default,
    aten.tan.default,
    aten.asin.default,
    aten.acos.default,
    aten.atan.default,
    aten.sinh.default,
    aten.cosh.default,
    aten.atan2.default,
    aten.pow.Tensor_Tensor,
    aten.pow.Scalar,
)

BOUNDED: Mapping[torch._ops.OpOverload, Callable[[Mapping[str, Any]], tuple[float, float]]] = {
    aten.hardtanh.default: lambda arguments: (arguments["min_val"], arguments["max_val"]),
    aten.relu6.default: lambda arguments: (0.0, 6.0),
}
"""The bounds of those that are the identity between two bounds, and whose derivative at either is 0."""


def _bounded(bounds: Callable[[Mapping[str, Any]], tuple[float, float]]) -> BiasRule:
    formula = "closed form: l [y ≤ l] + h [y ≥ h] between bounds l, h"
    return BiasRule("activation", lambda call: at_bounds(*bounds(call.arguments)), formula)


ELEMENTWISE: dict[torch._ops.OpOverload, BiasRule] = {
    **{operator: _bounded(bounds) for operator, bounds in BOUNDED.items()},
    **{
        operator: BiasRule(
            "activation", lambda call: Implicit(elementwise), "closed form: y − Σ gᵢ′(a) aᵢ, with gᵢ′ by one VJP"
        )
        for operator in ACTIVATIONS
    },
}
