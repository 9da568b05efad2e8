"""A constant table read at an input's integers: nothing to differentiate, so the bias is what was read."""

from __future__ import annotations

import torch
from torch import Tensor

from fgcompile.compiler.biases.rule import Application, Bias, BiasCall, BiasRule, Homogeneous, Implicit
from fgcompile.compiler.ir.torch_internals import OpOverload

aten = torch.ops.aten


def _read(application: Application) -> Tensor:
    """``J = 0``, so ``b = y``."""
    return application.output


def _lookup(call: BiasCall) -> Bias:
    return Homogeneous(1) if call.is_active("weight") else Implicit(_read, affine=True)


LOOKUP = BiasRule("embedding", _lookup, "y, of a constant table; nothing for an active one")

EMBEDDING: dict[OpOverload, BiasRule] = {aten.embedding.default: LOOKUP}
