"""Operators of ours: a value whose derivative is that of another, linear, value.

    y = own_backward(value, linear) = value,   ∂y/∂value = 0,   ∂y/∂linear = 1

So any linear map ``J̃`` can stand for a function's derivative: ``own_backward(g(a), J̃ a)`` leaves the bias
``b̃ = g(a) − J̃ a`` and carries ``J̃ᵀ δ`` backwards, and completeness holds as it does with the true derivative. It lives
from capture to tracing, where it becomes its value. ``quantized`` is the same of a straight-through quantisation, so
that its bias, the rounding error, has a name.

    y = quantized(value, linear, inside) = value,   ∂y/∂linear = inside, or 1 where it is None
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fgcompile.compiler.ir.torch_internals import OpOverload


def _own_backward(value: Tensor, linear: Tensor) -> Tensor:
    return value.clone()


def _quantized(value: Tensor, linear: Tensor, inside: Tensor | None = None) -> Tensor:
    return value.clone()


def _define(name: str, compute: Any, backward: Any, keep: Any = None) -> OpOverload:
    operator = torch.library.custom_op(f"fgcompile::{name}", compute, mutates_args=())
    operator.register_fake(lambda value, *_: torch.empty_like(value))
    operator.register_autograd(backward, setup_context=keep)
    overload: OpOverload = getattr(torch.ops.fgcompile, name).default
    return overload


def _keep_inside(ctx: Any, inputs: tuple[Tensor | None, ...], output: Tensor) -> None:
    ctx.bounded = inputs[2] is not None
    ctx.save_for_backward(*inputs[2:] if ctx.bounded else ())


def _through(ctx: Any, gradient: Tensor) -> tuple[None, Tensor, None]:
    return None, gradient * ctx.saved_tensors[0] if ctx.bounded else gradient, None


OWN_BACKWARD = _define("own_backward", _own_backward, lambda _, gradient: (None, gradient))
"""``own_backward(value, linear)``, both of one shape and dtype."""

QUANTIZED = _define("quantized", _quantized, _through, _keep_inside)
"""``quantized(value, linear, inside)``: a value rounded to the levels of a quantisation, what is linear in its place,
and 1 where it is within the range, 0 beyond it, in the same shape and dtype; None where ``linear`` says that itself."""
