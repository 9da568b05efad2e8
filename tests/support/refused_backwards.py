"""Functions whose backward cannot be kept, and what each says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

# The two methods of a function have whatever arguments it takes, so that
# mypy: disable-error-code="override,no-untyped-call"


class Clipped(Function):
    """Its backward is not linear."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return g.clamp(-1e-3, 1e-3)


class Normalised(Clipped):
    """Its backward has a norm of one."""

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return g / g.norm()


class Deciding(Clipped):
    """Its backward decides by values."""

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return g * 2 if g.sum() > 0 else g


class Numpy(Clipped):
    """Its forward leaves PyTorch."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return torch.from_numpy(x.numpy() * 2)


class InPlace(Clipped):
    """Changes its input."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.mark_dirty(x)
        return x.mul_(2)


class SignOfGradient(Clipped):
    """Its backward is constant almost everywhere, so no derivative tells that it is not linear."""

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return g.sign()


class WithoutBackward(Function):
    """Has none."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x * 2


class Noisy(Clipped):
    """Its backward adds noise."""

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return g + torch.randn_like(g)


class Mapped(Function):
    """May be transformed by ``torch.vmap``."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.round()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Keeps nothing."""

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Tensor:
        return g * 2


REFUSED: dict[str, tuple[Callable[..., Tensor], str]] = {
    "noisy": (lambda net, y: Noisy.apply(y), "'Noisy'.*not linear"),
    "vmap": (lambda net, y: torch.vmap(Mapped.apply)(y), r"under torch\.vmap.*\.py:\d+.*outside of the transform"),
    "clipped": (lambda net, y: Clipped.apply(y), "'Clipped'.*not linear"),
    "normalised": (lambda net, y: Normalised.apply(y), "'Normalised'.*not linear"),
    "deciding": (lambda net, y: Deciding.apply(y), "'Deciding'.*backward that cannot be traced"),
    "numpy": (lambda net, y: Numpy.apply(y), "'Numpy'.*forward that cannot be traced"),
    "in_place": (lambda net, y: InPlace.apply(y * 1), "'InPlace'.*in place"),
    "sign_of_gradient": (lambda net, y: SignOfGradient.apply(y), "'SignOfGradient'|gradient"),
    "without_backward": (lambda net, y: WithoutBackward.apply(y), "'WithoutBackward'"),
}
"""What is refused, and words of the error."""
