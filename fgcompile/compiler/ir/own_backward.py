"""One operator of ours: a value whose derivative is that of another, linear, value.

    y = own_backward(value, linear) = value,   ∂y/∂value = 0,   ∂y/∂linear = 1

So any linear map ``J̃`` can stand for a function's derivative: ``own_backward(g(a), J̃ a)`` leaves the bias
``b̃ = g(a) − J̃ a`` and carries ``J̃ᵀ δ`` backwards, and completeness holds as it does with the true derivative. It lives
from capture to tracing, where it becomes its value.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fgcompile.compiler.ir.torch_internals import OpOverload


@torch.library.custom_op("fgcompile::own_backward", mutates_args=())
def _own_backward(value: Tensor, linear: Tensor) -> Tensor:
    return value.clone()


@_own_backward.register_fake
def _(value: Tensor, linear: Tensor) -> Tensor:
    return torch.empty_like(value)


def _backward(_: Any, gradient: Tensor) -> tuple[None, Tensor]:
    return None, gradient


_own_backward.register_autograd(_backward)

OWN_BACKWARD: OpOverload = torch.ops.fgcompile.own_backward.default
"""``own_backward(value, linear)``, both of one shape and dtype."""
