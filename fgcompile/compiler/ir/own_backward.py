"""Operators of ours: a value whose derivative is that of another, linear, value.

    y = own_backward(value, linear) = value,   ∂y/∂value = 0,   ∂y/∂linear = 1

So any linear map ``J̃`` can stand for a function's derivative: ``own_backward(g(a), J̃ a)`` leaves the bias
``b̃ = g(a) − J̃ a`` and carries ``J̃ᵀ δ`` backwards, and completeness holds as it does with the true derivative. It lives
from capture to tracing, where it becomes its value. ``quantized`` is the same of a straight-through quantisation, so
that its bias, the rounding error, has a name.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fgcompile.compiler.ir.torch_internals import OpOverload


def _define(name: str) -> OpOverload:
    @torch.library.custom_op(f"fgcompile::{name}", mutates_args=())
    def compute(value: Tensor, linear: Tensor) -> Tensor:
        return value.clone()

    @compute.register_fake
    def _(value: Tensor, linear: Tensor) -> Tensor:
        return torch.empty_like(value)

    compute.register_autograd(_backward)
    overload: OpOverload = getattr(torch.ops.fgcompile, name).default
    return overload


def _backward(_: Any, gradient: Tensor) -> tuple[None, Tensor]:
    return None, gradient


OWN_BACKWARD = _define("own_backward")
"""``own_backward(value, linear)``, both of one shape and dtype."""

QUANTIZED = _define("quantized")
"""``quantized(value, linear)``: a value rounded to the levels of a quantisation, and what is linear in its place."""
