"""Activations ``y = x · s(x)`` with a gate ``s``, in parts that their slope and their implicit bias have in common.

    y′ = s + x s′        y − y′ x = −x · (x s′)

The bias needs neither ``y`` nor ``y′``, whose difference loses digits where the activation is nearly linear. Slope and
bias share ``x s′``, which is given but for a constant factor (``docs/decisions/gated-activations.md``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from fgcompile.compiler.ir.torch_internals import OpOverload

aten = torch.ops.aten


@dataclass(frozen=True)
class Gated:
    """The parts of one activation, as functions of ``x``.

    Attributes:
        gate: ``s(x)``.
        rise: ``x s′(x) / factor``, which is 0 where ``s`` has no derivative.
        factor: What ``rise`` is still to be multiplied by.
    """

    gate: Callable[[Tensor], Tensor]
    rise: Callable[[Tensor], Tensor]
    factor: float = 1.0

    def slope(self, x: Tensor) -> Tensor:
        """``y′ = s + x s′``."""
        rise = self.rise(x)
        return self.gate(x) + (rise if self.factor == 1 else rise * self.factor)


def _normal_distribution(x: Tensor) -> Tensor:
    return (torch.erf(x * math.sqrt(0.5)) + 1.0) * 0.5


def _bell(x: Tensor) -> Tensor:
    """``x exp(−x²/2)``, by the argument that the distribution has too: two products less."""
    scaled = x * math.sqrt(0.5)
    return x / torch.exp(scaled * scaled)


_CUBIC = 0.044715


def _tanh_argument(x: Tensor) -> Tensor:
    return torch.tanh(x * (x * x * _CUBIC + 1.0) * math.sqrt(2 / math.pi))


def _tanh_gate(x: Tensor) -> Tensor:
    return (_tanh_argument(x) + 1.0) * 0.5


def _tanh_rise(x: Tensor) -> Tensor:
    # What decays comes before what grows: the cube of x leaves half precision at 40, where the first factor is 0.
    curve = _tanh_argument(x)
    decaying = (1.0 - curve * curve) * x
    return decaying + decaying * x * x * (3 * _CUBIC)


def _silu_rise(x: Tensor) -> Tensor:
    gate = torch.sigmoid(x)
    return x * (gate * (1.0 - gate))


def _mish_gate(x: Tensor) -> Tensor:
    return torch.tanh(F.softplus(x))


def _mish_rise(x: Tensor) -> Tensor:
    gate = _mish_gate(x)
    return x * ((1.0 - gate * gate) * torch.sigmoid(x))


def _hard_gate(x: Tensor) -> Tensor:
    return torch.clamp(x + 3.0, 0.0, 6.0) * (1.0 / 6.0)


def _hard_rise(x: Tensor) -> Tensor:
    return x * torch.logical_and(x > -3.0, x < 3.0).to(x.dtype)


GELU: Mapping[str, Gated] = {
    "none": Gated(_normal_distribution, _bell, 1 / math.sqrt(2 * math.pi)),
    "tanh": Gated(_tanh_gate, _tanh_rise, 1 / math.sqrt(2 * math.pi)),
}
"""``x Φ(x)``, and ``½ x (1 + tanh(√(2/π) (x + 0.044715 x³)))``, by the name of the approximation."""

GATES: Mapping[OpOverload, Gated] = {
    aten.silu.default: Gated(torch.sigmoid, _silu_rise),
    aten.mish.default: Gated(_mish_gate, _mish_rise),
    aten.hardswish.default: Gated(_hard_gate, _hard_rise, 1.0 / 6.0),
}
"""``x σ(x)``, ``x tanh(log(1 + eˣ))`` and ``x min(max(x + 3, 0), 6)/6``."""
