"""A value with a backward of its own is that value, once the backward has been traced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from fgcompile.compiler.ir.own_backward import OWN_BACKWARD, QUANTIZED
from fgcompile.compiler.ir.torch_internals import OpOverload


def _lower(value: Tensor, linear: Tensor, inside: Tensor | None = None) -> Tensor:
    """A copy: below autograd an operator's result is none of its operands. The optimiser drops it."""
    return value.clone()


LOWERINGS: dict[OpOverload, Callable[..., Any]] = {OWN_BACKWARD: _lower, QUANTIZED: _lower}
