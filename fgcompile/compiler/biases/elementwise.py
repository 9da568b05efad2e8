"""Elementwise non-linearities: the implicit bias ``η(z) − η′(z) z`` of the paper, with ``η′`` from one VJP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from fgcompile.compiler.biases.formula import at_bounds, by_output, elementwise
from fgcompile.compiler.biases.rule import BiasRule, Formula, Implicit
from fgcompile.compiler.ir.torch_internals import OpOverload

aten = torch.ops.aten

ACTIVATIONS = (
    aten.gelu.default,
    aten.silu.default,
    aten.mish.default,
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

GATES: Mapping[OpOverload, OpOverload] = {
    aten.sigmoid.default: aten.sigmoid_backward.default,
    aten.tanh.default: aten.tanh_backward.default,
}
"""Those of recurrent layers, with the backward operators that need no more than the output."""

BOUNDED: Mapping[OpOverload, Callable[[Mapping[str, Any]], tuple[float, float]]] = {
    aten.hardtanh.default: lambda arguments: (arguments["min_val"], arguments["max_val"]),
    aten.relu6.default: lambda arguments: (0.0, 6.0),
}
"""The bounds of those that are the identity between two bounds, and whose derivative at either is 0."""


def _bounded(bounds: Callable[[Mapping[str, Any]], tuple[float, float]]) -> BiasRule:
    formula = "closed form: l [y ≤ l] + h [y ≥ h] between bounds l, h"
    return BiasRule("activation", lambda call: at_bounds(*bounds(call.arguments)), formula)


FORMULA = "closed form: y − Σ gᵢ′(a) aᵢ, with gᵢ′ by one VJP"


def _activation(formula: Formula) -> BiasRule:
    return BiasRule("activation", lambda call: Implicit(formula), FORMULA)


ELEMENTWISE: dict[OpOverload, BiasRule] = {
    **{operator: _bounded(bounds) for operator, bounds in BOUNDED.items()},
    **{operator: _activation(by_output(backward)) for operator, backward in GATES.items()},
    **{operator: _activation(elementwise) for operator in ACTIVATIONS},
}
