"""Rounding errors as they might be: weights and inputs that are off by a few units in the last place.

No two ways of computing a network in float32 make the same rounding errors, and each may turn another ReLU or another
choice of a pooling. What a few units in the weights change is what any of them may change.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fgcompile.compiler.request import Precision

UNITS: dict[Precision, float] = {"float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
"""The spacing of numbers at 1."""

SPREAD = 4.0
"""By how many units a value is off at most: a sum over a layer's weights rounds more than once."""


def unit_of(precision: Precision, draw: int) -> float:
    """The unit of a draw: 0 for the first in float32, which is what eager PyTorch computes."""
    return 0.0 if precision == "float32" and draw == 0 else UNITS[precision]


def nudged(value: Tensor, unit: float, generator: torch.Generator) -> Tensor:
    """``x (1 + 4 u r)`` with ``r`` uniform in −1 to 1; whole numbers, such as places, stay what they are."""
    if not value.is_floating_point() or not unit:
        return value
    errors = torch.rand(value.shape, generator=generator, dtype=value.dtype) * 2 - 1
    return torch.where(value == value.round(), value, value * (1 + SPREAD * unit * errors))
