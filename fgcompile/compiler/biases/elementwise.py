"""Elementwise non-linearities: the implicit bias ``η(z) − η′(z) z`` of the paper, with ``η′`` from one VJP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from fgcompile.compiler.biases.formula import at_bounds, by_output, elementwise
from fgcompile.compiler.biases.rule import BiasCall, BiasRule, Formula, Implicit
from fgcompile.compiler.ir.gated import GATES, GELU, Gated
from fgcompile.compiler.ir.torch_internals import OpOverload

aten = torch.ops.aten

ACTIVATIONS = (
    aten.elu.default,
    aten.celu.default,
    aten.selu.default,
    aten.softplus.default,
    aten.log_sigmoid.default,
    aten.clamp.default,
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

OF_RECURRENT_LAYERS: Mapping[OpOverload, OpOverload] = {
    aten.sigmoid.default: aten.sigmoid_backward.default,
    aten.tanh.default: aten.tanh_backward.default,
}
"""Their gates, with the backward operators that need no more than the output."""

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


def _by_gate(gated: Gated) -> Implicit:
    """``b = −x · (x s′)`` of ``y = x s(x)``."""
    return Implicit(lambda application: application.operands[0] * gated.rise(application.operands[0]), -gated.factor)


def _gelu(call: BiasCall) -> Implicit:
    return _by_gate(GELU[call.arguments["approximate"]])


def _gated(gated: Gated) -> BiasRule:
    return BiasRule("activation", lambda call: _by_gate(gated), BY_GATE)


BY_GATE = "closed form: −x² s′(x) for y = x s(x)"

ELEMENTWISE: dict[OpOverload, BiasRule] = {
    **{operator: _bounded(bounds) for operator, bounds in BOUNDED.items()},
    **{operator: _activation(by_output(backward)) for operator, backward in OF_RECURRENT_LAYERS.items()},
    **{operator: _activation(elementwise) for operator in ACTIVATIONS},
    **{operator: _gated(gated) for operator, gated in GATES.items()},
    aten.gelu.default: BiasRule("activation", _gelu, BY_GATE),
}
