"""Activations and other functions of one element, kept inside their domains."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.exactness.random_graphs.description import Layer, Operator, Settings, Shape
from benchmarks.exactness.random_graphs.weighted import Weighted


def _positive(x: Tensor) -> Tensor:
    return x * x + 0.5


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "relu6": lambda x: F.relu6(x * 4),
    "hardtanh": lambda x: F.hardtanh(x, -0.5, 1.5),
    "clamp": lambda x: x.clamp(-0.5, 1.5),
    "clamp below": lambda x: x.clamp(min=-0.5),
    "leaky_relu": lambda x: F.leaky_relu(x, 0.1),
    "rrelu": lambda x: F.rrelu(x, training=False),
    "elu": lambda x: F.elu(x, 0.7),
    "selu": F.selu,
    "celu": lambda x: F.celu(x, 0.7),
    "gelu": F.gelu,
    "gelu tanh": lambda x: F.gelu(x, approximate="tanh"),
    "quick gelu": lambda x: x * torch.sigmoid(1.702 * x),
    "silu": F.silu,
    "silu in place": lambda x: F.silu(x * 2, inplace=True),
    "mish": F.mish,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softplus": lambda x: F.softplus(x, 2.0, 3.0),
    "logsigmoid": F.logsigmoid,
    "hardswish": F.hardswish,
    "hardsigmoid": F.hardsigmoid,
    "hardshrink": F.hardshrink,
    "softshrink": F.softshrink,
    "tanhshrink": F.tanhshrink,
    "softsign": F.softsign,
    "threshold": lambda x: F.threshold(x, 0.25, -1.0),
    "abs": torch.abs,
    "square": torch.square,
    "cube": lambda x: x**3,
    "neg": torch.neg,
    "sin": torch.sin,
    "cos": torch.cos,
    "atan": torch.atan,
    "erf": torch.erf,
    "exp": lambda x: torch.exp(torch.tanh(x)),
    "expm1": lambda x: torch.expm1(torch.tanh(x)),
    "sinh": lambda x: torch.sinh(torch.tanh(x)),
    "cosh": lambda x: torch.cosh(torch.tanh(x)),
    "tan": lambda x: torch.tan(torch.tanh(x)),
    "asin": lambda x: torch.asin(torch.tanh(x) * 0.9),
    "acos": lambda x: torch.acos(torch.tanh(x) * 0.9),
    # Scaled, or rounding would decide the derivative of a second one: its argument would lie on the bound.
    "logit": lambda x: torch.logit(torch.sigmoid(0.9 * x), 0.2),
    "number to a power": lambda x: 2.0 ** torch.tanh(x),
    "log": lambda x: torch.log(_positive(x)),
    "log2": lambda x: torch.log2(_positive(x)),
    "log10": lambda x: torch.log10(_positive(x)),
    "log1p": lambda x: torch.log1p(_positive(x)),
    "sqrt": lambda x: torch.sqrt(_positive(x)),
    "rsqrt": lambda x: torch.rsqrt(_positive(x)),
    "reciprocal": lambda x: torch.reciprocal(_positive(x)),
    "power": lambda x: _positive(x) ** 1.5,
    "one minus": lambda x: 1 - x,
    "shift": lambda x: x + 0.5,
    "where": lambda x: torch.where(x > 0.1, x, x * 0.3),
    "where constant": lambda x: torch.where(x > 0.1, x, torch.zeros_like(x)),
    "masked_fill": lambda x: x.masked_fill(x > 1.1, -0.5),
}


def _function(function: Callable[[Tensor], Tensor]) -> Operator:
    return Operator(lambda shapes, settings: function)


def _build_offsets(shapes: Sequence[Shape], settings: Settings) -> Layer:
    return Weighted(lambda x, w: x + w * 0.2, shapes[0])


OFFSETS = "offsets"
"""The operator that makes equal elements differ."""

OPERATORS = {
    **{name: _function(function) for name, function in FUNCTIONS.items()},
    "prelu": Operator(lambda shapes, settings: nn.PReLU(shapes[0][0])),
    OFFSETS: Operator(_build_offsets),
    "offset minus": Operator(lambda shapes, settings: Weighted(lambda x, w: w - x, shapes[0][-1:])),
    "weights": Operator(lambda shapes, settings: Weighted(torch.mul, shapes[0][-1:])),
    "maximum with a constant": Operator(
        lambda shapes, settings: Weighted(lambda x, w: torch.maximum(x, w * 0.3), shapes[0][-1:])
    ),
    "power of a constant": Operator(
        lambda shapes, settings: Weighted(lambda x, w: (w.abs() + 0.5) ** torch.tanh(x), shapes[0][-1:])
    ),
}
