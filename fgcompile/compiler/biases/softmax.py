"""Softmax and log-softmax along a dimension: ``y − y ⊙ (a − Σ y a)`` and ``y − (a − Σ softmax(a) a)``."""

from __future__ import annotations

import torch
from torch import Tensor

from fgcompile.compiler.biases.rule import Application, BiasRule, Implicit

aten = torch.ops.aten


def _softmax(application: Application) -> Tensor:
    a, y, axis = application.operands[0], application.output, application.arguments["dim"]
    return y - y * (a - (y * a).sum(axis, keepdim=True))


def _log_softmax(application: Application) -> Tensor:
    a, y, axis = application.operands[0], application.output, application.arguments["dim"]
    return y - (a - (y.exp() * a).sum(axis, keepdim=True))


SOFTMAX: dict[torch._ops.OpOverload, BiasRule] = {
    aten._softmax.default: BiasRule("softmax", lambda call: Implicit(_softmax), "closed form: y − y ⊙ (a − Σ y a)"),
    aten._log_softmax.default: BiasRule(
        "softmax", lambda call: Implicit(_log_softmax), "closed form: y − (a − Σ softmax(a) a)"
    ),
}
