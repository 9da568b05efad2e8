"""Linear and nearest-neighbour interpolation along a long axis, and its backward, by gathers: linear in the length.

Output ``i`` reads at the position ``p_i``, which is what the forward operator makes of a ramp, so corners, scales,
borders and rounding are PyTorch's own. Positions do not decrease, so the outputs that read an element lie side by side:
backward is a gather of those windows, a product with their weights, and a sum over each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fgcompile.compiler.ir.gathering import is_large
from fgcompile.compiler.ir.torch_internals import without_modes
from fgcompile.compiler.lowering.axes import is_dynamic, reshape
from fgcompile.compiler.lowering.bands import gather_and_sum

aten = torch.ops.aten  # its operators are untyped, hence:
# mypy: no-warn-return-any

LARGEST_EXCESS = 8
"""By how much the windows may exceed the two sizes together. Factors that lead far beyond the input repeat its end."""


@dataclass(frozen=True)
class Positions:
    """Where each output of an axis of ``size`` elements reads it: ``values``, ``(O,)`` in float64, increasing."""

    values: Tensor
    size: int

    def read(self, x: Tensor, axis: int) -> Tensor:
        """The interpolation itself: two gathers and a weighted sum, or one gather where no position is fractional."""
        with without_modes():
            low = self.values.floor()
            fraction = self.values - low
            first, second = low.long(), (low.long() + 1).clamp(max=self.size - 1)
            whole = not fraction.any()
            weight = fraction.to(x.dtype).reshape([-1, *[1] * (x.dim() - 1 - axis)])
        lower = aten.index_select.default(x, axis, first)
        return lower if whole else lower + (aten.index_select.default(x, axis, second) - lower) * weight

    def add_back(self, g: Tensor, axis: int) -> Tensor | None:
        """The transpose: ``out[j] = Σ_i max(0, 1 − |p_i − j|) g[i]``; None where the windows are too many."""
        with without_modes():
            places = torch.arange(self.size, dtype=torch.float64)
            start = torch.searchsorted(self.values, places - 1, right=True)
            stop = torch.searchsorted(self.values, places + 1)
            count = int((stop - start).max())
            if count * self.size > LARGEST_EXCESS * (self.size + len(self.values)):
                return None
            taps = start.unsqueeze(1) + torch.arange(count)
            index = taps.clamp(max=len(self.values) - 1)
            weight = (1 - (self.values[index] - places.unsqueeze(1)).abs()).clamp(min=0) * (taps < stop.unsqueeze(1))
        return gather_and_sum(g, axis, index, weight)


def long_positions(interpolate: Callable[[Tensor], Tensor], size: int, output: int) -> Positions | None:
    """The positions of an axis that is long, None where a matrix does: of shorter ones, and of dynamic sizes.

    Args:
        interpolate: Makes ``(1, 1, 1, size)`` an image of the output's width.
        size: The axis's size.
        output: The size after.
    """
    if is_dynamic(size) or is_dynamic(output) or not is_large(size, output):
        return None
    with without_modes():
        return Positions(interpolate(torch.arange(size, dtype=torch.float64).reshape(1, 1, 1, -1)).flatten(), size)


def add_blocks(g: Tensor, factors: Sequence[int], sizes: Sequence[int]) -> Tensor:
    """The backward of nearest-neighbour upsampling by whole factors: each block's sum. Sizes may be symbolic."""
    for axis, (factor, size) in enumerate(zip(factors, sizes, strict=True), start=2):
        if factor != 1:
            blocks = reshape(g, [*g.shape[:axis], size, factor, *g.shape[axis + 1 :]])
            g = aten.sum.dim_IntList(blocks, [axis + 1])
    return g
