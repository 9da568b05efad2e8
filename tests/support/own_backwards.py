"""Functions whose backward is the user's own, as people write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.utils.checkpoint import checkpoint

from benchmarks.exactness.random_graphs.kinds.functions import Reverse, Round

# The two methods of a function have whatever arguments it takes, so that
# mypy: disable-error-code="override,no-untyped-call"


class ClippedSign(Function):
    """Binary networks' sign: the backward writes zeros into a copy where the input is large."""

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
    """An activation that saves memory, its true derivative by hand, once differentiable."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> Tensor:
        s = torch.sigmoid(ctx.saved_tensors[0])
        return g * (s * (1 + ctx.saved_tensors[0] * (1 - s)))


class Modern(Function):
    """Written with ``setup_context``; two outputs, of which one is integers."""

    @staticmethod
    def forward(x: Tensor, low: float = -0.5, high: float = 0.5) -> tuple[Tensor, Tensor]:
        return x.clamp(low, high), (x > high).long()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def backward(ctx: Any, g: Tensor, _: Any) -> tuple[Tensor, None, None]:
        return g * 0.5 * (ctx.saved_tensors[0].abs() < 1), None, None


class Blend(Function):
    """Two operands, one broadcast, and two results."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x, y)
        return x * y, x - y

    @staticmethod
    def backward(ctx: Any, g: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        x, y = ctx.saved_tensors
        needed = ctx.needs_input_grad
        return g * y + 2 * h, (g * x - h).mean((2, 3), keepdim=True) if needed[1] else None


class Convolve(Function):
    """A layer's own convolution, whose weight's gradient nobody needs here."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return nn.functional.conv2d(x, weight, padding=1)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        return (
            nn.grad.conv2d_input(x.shape, weight, g, padding=1),
            nn.grad.conv2d_weight(x, weight.shape, g, padding=1),
        )


class Outer(Function):
    """Its forward calls another, and its backward recomputes under autograd."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return Round.apply(x).tanh()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        with torch.enable_grad():
            x = ctx.saved_tensors[0].detach().requires_grad_()
            (gradient,) = torch.autograd.grad(x.sin() * 2, x, g)
        return gradient


class Table(Function):
    """Brings a constant of its own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=x.dtype).reshape(1, 4, 1, 1)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return g * torch.arange(4, dtype=g.dtype).reshape(4, 1, 1)


class Resize(Function):
    """Takes a size of the batch."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, count: int) -> Tensor:
        ctx.shape = x.shape
        return x.reshape(count, -1)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        return 3 * g.reshape(ctx.shape), None


class LearnedSteps(Function):
    """Quantisation in steps that are trained (LSQ)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, step: Tensor, low: int, high: int) -> Tensor:
        ctx.save_for_backward(x, step)
        ctx.range = low, high
        return (x / step).round().clamp(low, high) * step

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor, None, None]:
        x, step = ctx.saved_tensors
        low, high = ctx.range
        level = x / step
        inside = ((level >= low) & (level <= high)).to(x.dtype)
        of_step = (inside * (level.round() - level) + (1 - inside) * level.clamp(low, high)) * g
        return g * inside, of_step.sum().reshape(step.shape), None, None


class LearnedClip(Function):
    """Clipping at a level that is trained, then rounding (PACT)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, level: Tensor, bits: int) -> Tensor:
        ctx.save_for_backward(x, level)
        scale = (2**bits - 1) / level
        return (torch.minimum(x.clamp(min=0), level) * scale).round() / scale

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor, None]:
        x, level = ctx.saved_tensors
        return g * ~((x < 0) | (x > level)), (g * (x >= level)).sum().reshape(level.shape), None


class Ternary(Function):
    """Three values, by a threshold of each sample's own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        threshold = 0.7 * x.abs().mean((1, 2, 3), keepdim=True)
        return x.sign() * (x.abs() > threshold)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return g * (ctx.saved_tensors[0].abs() <= 1)


class Normed(Function):
    """A product with ``W / σ`` as spectral normalisation has it, its backward by ``einsum`` of the gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        sigma = torch.linalg.vector_norm(weight)
        ctx.save_for_backward(weight / sigma)
        return torch.einsum("nihw,oi->nohw", x, weight / sigma)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        (weight,) = ctx.saved_tensors
        return torch.einsum("nohw,oi->nihw", g, weight), None


class Feedback(Function):
    """A convolution whose backward convolves the gradient by weights of its own."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(weight.sign())
        return F.conv2d(x, weight, padding=1)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        (weight,) = ctx.saved_tensors
        return F.conv2d(g, weight.transpose(0, 1).flip(2, 3), padding=1), None


class Enlarged(Function):
    """Interpolation whose backward pools the gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2.0)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return F.avg_pool2d(g, 2) * 3


class Rounds(nn.Module):
    """A loop of calls, in a part of a part."""

    def forward(self, y: Tensor) -> Tensor:
        for _ in range(3):
            y = Round.apply(y * 1.1)
        return y


class Net(nn.Module):
    """A convolution, something, a classifier."""

    def __init__(self, middle: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4, 3)
        self.scale, self.weight = nn.Parameter(torch.ones(1, 4, 1, 1) * 0.7), nn.Parameter(torch.randn(4, 4, 3, 3) / 6)
        self.middle = middle
        self.part = nn.Sequential(Rounds(), nn.Sequential(Rounds()))

    def forward(self, x: Tensor) -> Tensor:
        y = self.middle(self, self.first(x))
        return self.last(y.tanh().mean((2, 3)))


def _of_both(net: Net, y: Tensor) -> Tensor:
    product, difference = Blend.apply(y, y.mean((2, 3), keepdim=True))
    return product + difference.exp()


def _of_modern(net: Net, y: Tensor) -> Tensor:
    clipped, beyond = Modern.apply(y)
    return clipped + beyond * y


KEPT: dict[str, Callable[..., Tensor]] = {
    "straight_through": lambda net, y: Round.apply(y),
    "twice": lambda net, y: Round.apply(Round.apply(y) * net.scale),
    "of_another": lambda net, y: ClippedSign.apply(Round.apply(y)),
    "of_another_and_more": lambda net, y: Blend.apply(Round.apply(y), y.mean((2, 3), keepdim=True))[0],
    "reversal": lambda net, y: Reverse.apply(y, 0.3),
    "clipped_sign": lambda net, y: ClippedSign.apply(y),
    "activation": lambda net, y: Swish.apply(y),
    "setup_context": _of_modern,
    "two_operands": _of_both,
    "with_a_parameter": lambda net, y: Blend.apply(y, net.scale)[0],
    "convolution": lambda net, y: Convolve.apply(y, net.weight),
    "einsum_of_the_gradient": lambda net, y: Normed.apply(y, net.weight.sum((2, 3))),
    "convolution_of_the_gradient": lambda net, y: Feedback.apply(y, net.weight),
    "pooling_of_the_gradient": lambda net, y: Enlarged.apply(y),
    "learned_steps": lambda net, y: LearnedSteps.apply(y, net.scale.mean().reshape(1) / 7, -8, 7),
    "learned_clip": lambda net, y: LearnedClip.apply(y, net.scale.mean().reshape(1), 4),
    "few_bits": lambda net, y: Round.apply(y.clamp(0, 1)),
    "ternary": lambda net, y: Ternary.apply(y),
    "parts_and_loops": lambda net, y: net.part(y),
    "checkpoint_of_parts": lambda net, y: checkpoint(net.part, y, use_reentrant=False),
    "nested": lambda net, y: Outer.apply(y),
    "constants": lambda net, y: Table.apply(y),
    "symbolic_size": lambda net, y: Resize.apply(y, y.shape[0]).reshape(y.shape),
    "detached": lambda net, y: y + Round.apply(y.detach()),
    "under_no_grad": lambda net, y: y * _without_gradient(y),
    "checkpoint": lambda net, y: checkpoint(lambda v: Round.apply(v.sin()), y, use_reentrant=True),
    "checkpoint_without_reentry": lambda net, y: checkpoint(lambda v: Round.apply(v.sin()), y, use_reentrant=False),
}
"""What takes its own backward, by name."""


def _without_gradient(y: Tensor) -> Tensor:
    with torch.no_grad():
        result: Tensor = Round.apply(y)
    return result
