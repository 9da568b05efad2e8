"""Softmax: ``y − y ⊙ (a − Σ y a)``; its logarithm: ``y − (a − Σ p a)``; log-sum-exp: ``y − Σ p a``; p is softmax(a)."""

from __future__ import annotations

import torch
from torch import Tensor

from fgcompile.compiler.biases.rule import Application, BiasRule, Implicit
from fgcompile.compiler.ir.torch_internals import OpOverload

aten = torch.ops.aten


def _softmax(application: Application) -> Tensor:
    a, y, axis = application.operands[0], application.output, application.arguments["dim"]
    return y - y * (a - (y * a).sum(axis, keepdim=True))


def _log_softmax(application: Application) -> Tensor:
    a, y, axis = application.operands[0], application.output, application.arguments["dim"]
    return y - (a - (y.exp() * a).sum(axis, keepdim=True))


def _log_sum_exp(application: Application) -> Tensor:
    # Taken apart, the largest element is subtracted, and its gradient, 1 − Σ softmax(a), is zero but for rounding: in
    # float32 more than the weight of one element among thousands. The operator as a whole has no such part.
    a, y, keepdim = application.operands[0], application.output, application.arguments["keepdim"]
    axes = sorted(axis % a.ndim for axis in application.arguments["dim"]) or list(range(a.ndim))
    spread = y
    for axis in () if keepdim else axes:
        spread = spread.unsqueeze(axis)
    return y - ((a - spread).exp() * a).sum(axes, keepdim=keepdim)


SOFTMAX: dict[OpOverload, BiasRule] = {
    aten._softmax.default: BiasRule("softmax", lambda call: Implicit(_softmax), "closed form: y − y ⊙ (a − Σ y a)"),
    aten._log_softmax.default: BiasRule(
        "softmax", lambda call: Implicit(_log_softmax), "closed form: y − (a − Σ softmax(a) a)"
    ),
    aten.logsumexp.default: BiasRule("softmax", lambda call: Implicit(_log_sum_exp), "closed form: y − Σ softmax(a) a"),
}
