"""Elementwise non-linearities: the implicit bias ``η(z) − η′(z) z`` of the paper, with ``η′`` from one VJP."""

from __future__ import annotations

import torch

from fgcompile.biases.formula import elementwise
from fgcompile.biases.rule import Implicit, Rule

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
    aten.hardtanh.default,
    aten.relu6.default,
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

ELEMENTWISE: dict[torch._ops.OpOverload, Rule] = {
    operator: Rule(
        "activation", lambda call: Implicit(elementwise), "closed form: y − Σ gᵢ′(a) aᵢ, with gᵢ′ by one VJP"
    )
    for operator in ACTIVATIONS
}
