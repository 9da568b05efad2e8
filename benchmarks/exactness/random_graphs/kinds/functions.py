"""Functions whose backward is the user's own, which may be no derivative at all."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

# The two methods of a function have whatever arguments it takes, so that
# mypy: disable-error-code="override,no-untyped-call"


class Round(Function):
    """Straight-through rounding."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return torch.round(x * 8) / 8

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return g


class Reverse(Function):
    """The identity with a backward of another sign and size."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        return -ctx.factor * g, None


class Spike(Function):
    """A step forwards, the slope of a sigmoid backwards."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, steepness: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.steepness = steepness
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        s = torch.sigmoid(ctx.saved_tensors[0] * ctx.steepness)
        return g * ctx.steepness * s * (1 - s), None


class ClippedSign(Function):
    """The backward writes zeros into a copy where the input is large."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.sign()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        gradient = g.clone()
        gradient[x.abs() > 0.5] = 0
        return gradient


class Swish(Function):
    """The true derivative by hand, once differentiable."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> Tensor:
        x = ctx.saved_tensors[0]
        s = torch.sigmoid(x)
        return g * (s * (1 + x * (1 - s)))


class Swapped(Function):
    """A product whose backward gives each factor the other's part."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
        ctx.save_for_backward(x, y)
        return x * y

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor]:
        x, y = ctx.saved_tensors
        return g * x, g * y * 0.5


class Bounds(Function):
    """With ``setup_context``; two outputs."""

    @staticmethod
    def forward(x: Tensor, low: float, high: float) -> tuple[Tensor, Tensor]:
        return x.clamp(low, high), x * 0.5

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float, float], output: tuple[Tensor, Tensor]) -> None:
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def backward(ctx: Any, g: Tensor, h: Tensor) -> tuple[Tensor, None, None]:
        return g + 0.5 * h, None, None


class Scaled(Function):
    """A step size that is learned, as in LSQ: a weight among the operands."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, step: Tensor) -> Tensor:
        ctx.save_for_backward(x, step)
        return torch.round(x / step).clamp(-4, 3) * step

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor]:
        x, step = ctx.saved_tensors
        inside = (x / step > -4) & (x / step < 3)
        return g * inside, (g * ~inside).sum().reshape(step.shape)
