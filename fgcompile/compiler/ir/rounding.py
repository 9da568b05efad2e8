"""Rounding errors as they might be: weights, inputs and sums that are off by a few units in the last place.

No two ways of computing a network in float32 make the same rounding errors, and each may turn another ReLU or another
choice of a pooling. What a few units in the weights change is what any of them may change, but for differences of sums
of one tensor, such as E[x²] − E[x]²: what is off in it, both have in common; what they lose by adding, they have not.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, fx

from fgcompile.compiler.ir.sizes import hint
from fgcompile.compiler.request import Precision

UNITS: dict[Precision, float] = {"float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}
"""The spacing of numbers at 1."""

HALF = (torch.float16, torch.bfloat16)
"""Half precision."""

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


def nudge_sums(graph_module: fx.GraphModule, unit: float, generator: torch.Generator) -> None:
    """Multiplies every sum and mean of n floating-point numbers, in place, by a ``1 + s u r`` of its own.

    s is √n/2, or 4 if that is more: so much is lost where they are added one after the other.
    """
    for node in graph_module.graph.nodes if unit else ():
        if node.target not in _SUMS or not node.meta["val"].dtype.is_floating_point:
            continue
        count = math.prod(map(hint, node.args[0].meta["val"].shape)) / math.prod(map(hint, node.meta["val"].shape))
        error = max(SPREAD, math.sqrt(count) / 2) * unit * (2 * float(torch.rand((), generator=generator)) - 1)
        with graph_module.graph.inserting_after(node):
            off = graph_module.graph.call_function(torch.ops.aten.mul.Tensor, (node, 1 + error))
        off.meta = dict(node.meta)
        node.replace_all_uses_with(off, lambda user, off=off: user is not off)
    graph_module.recompile()


_SUMS = {
    getattr(getattr(torch.ops.aten, name), overload)
    for name, overload in (("sum", "default"), ("sum", "dim_IntList"), ("mean", "default"), ("mean", "dim"))
}
