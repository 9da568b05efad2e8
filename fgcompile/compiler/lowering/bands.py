"""Linear maps along one axis of which each output reads few inputs side by side, and their transposes: bands.

    ``out[r] = Σ_t w[r, t] x[s_r + t]``,   ``s`` not decreasing

A band has ``rows × taps`` weights where the matrix has ``rows × columns``. It is applied by a gather, a product and a
sum. Since starts do not decrease, the rows that read a column lie side by side too, so a band's transpose is one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from fgcompile.compiler.ir.gathering import is_large
from fgcompile.compiler.ir.torch_internals import without_modes
from fgcompile.compiler.lowering.axes import is_dynamic, reshape

aten = torch.ops.aten  # its operators are untyped, hence:
# mypy: no-warn-return-any

LARGEST_PROBE = 1 << 20
"""Elements of the images from which an operator's weights are read at a time."""


@dataclass(frozen=True)
class Band:
    """``start`` ``(R,)``, not decreasing, and ``weights`` ``(R, T)`` in float64, zero where a tap is outside."""

    start: Tensor
    weights: Tensor
    columns: int

    def apply(self, x: Tensor, axis: int) -> Tensor:
        """The map along an axis of ``columns`` elements."""
        with without_modes():
            taps = self.start.unsqueeze(1) + torch.arange(self.weights.shape[1])
            index = taps.clamp(0, self.columns - 1)
        return gather_and_sum(x, axis, index, self.weights)

    def transposed(self) -> Band:
        """The band of the transposed matrix: column ``j`` is read by the rows with ``s_r ≤ j < s_r + T``."""
        with without_modes():
            rows, taps = self.weights.shape
            column = torch.arange(self.columns)
            first = torch.searchsorted(self.start + taps, column, right=True)
            behind = torch.searchsorted(self.start, column, right=True)
            reading = first.unsqueeze(1) + torch.arange(max(int((behind - first).max()), 1))
            row = reading.clamp(max=rows - 1)
            tap = (column.unsqueeze(1) - self.start[row]).clamp(0, taps - 1)
            weights = self.weights[row, tap] * (reading < behind.unsqueeze(1))
            return Band(first, weights, rows)

    def trimmed(self) -> Band:
        """Without the taps on both sides that weigh nothing in any row."""
        with without_modes():
            present = self.weights != 0
            taps = torch.arange(self.weights.shape[1])
            first = self.start + present.int().argmax(1)
            last = self.start + torch.where(present, taps, 0).amax(1)
            start = first.flip(0).cummin(0).values.flip(0)
            kept = (start - self.start).unsqueeze(1) + torch.arange(int((last - start).max()) + 1)
            inside = (kept >= 0) & (kept < len(taps))
            weights = self.weights.gather(1, kept.clamp(0, len(taps) - 1)) * inside
            return Band(start, weights, self.columns)


def gather_and_sum(x: Tensor, axis: int, index: Tensor, weights: Tensor) -> Tensor:
    """``out[r] = Σ_t weights[r, t] x[index[r, t]]`` along an axis; both are constants ``(R, T)``."""
    with without_modes():
        flat, equal = index.flatten(), bool((weights == 1).all())
        in_place = torch.equal(flat, torch.arange(x.shape[axis]))
        factors = weights.to(x.dtype).reshape([*weights.shape, *[1] * (x.dim() - 1 - axis)])
    # Windows that lie side by side already are read as they are, and need no product if their weights are one.
    read = x if in_place else aten.index_select.default(x, axis, flat)
    windows = reshape(read, [*x.shape[:axis], *index.shape, *x.shape[axis + 1 :]])
    return aten.sum.dim_IntList(windows if equal else windows * factors, [axis + 1])


def average_band(start: Tensor, end: Tensor, divisor: Tensor, columns: int) -> Band:
    """The averages ``Σ x[start ≤ i < end] / divisor``; all are tensors of numbers, ``(R,)``."""
    with without_modes():
        taps = torch.arange(max(int((end - start).max()), 1))
        weights = (taps < (end - start).unsqueeze(1)) / divisor.unsqueeze(1).double()
        return Band(start, weights, columns)


def probed_band(interpolate: Callable[[Tensor], Tensor], size: int, output: int, reach: float) -> Band | None:
    """The band of an interpolation along a long axis; None where a matrix does, and where it is none.

    Impulses ``T`` elements apart are each read by other outputs, so that ``T`` images hold all weights; a ramp tells
    where each output reads. So corners, scales, borders and rounding are PyTorch's own.

    Args:
        interpolate: Makes ``(N, 1, 1, size)`` images of the output's width.
        size: The axis's size.
        output: The size after.
        reach: How far from its position an output reads.
    """
    if is_dynamic(size) or is_dynamic(output) or not is_large(size, output):
        return None
    with without_modes():
        ramp = torch.arange(size, dtype=torch.float64)
        taps = 2 * math.ceil(reach) + 4
        centre = interpolate(ramp.reshape(1, 1, 1, -1)).flatten().floor().long()
        start = (centre - taps // 2 + 1).cummax(0).values
        index = start.unsqueeze(1) + torch.arange(taps)
        inside = (index >= 0) & (index < size)
        band = Band(start, _read_weights(interpolate, size, index) * inside, size).trimmed()
        # An operator that reads farther would have had its weights mistaken for others.
        probe = torch.rand(1, 1, 1, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        same = torch.allclose(band.apply(probe, 3), interpolate(probe), rtol=1e-10, atol=1e-12)
    return band if same else None


def _read_weights(interpolate: Callable[[Tensor], Tensor], size: int, index: Tensor) -> Tensor:
    """What each output takes of the elements of ``index`` ``(O, T)``, which are adjacent."""
    outputs, taps = index.shape
    residue = index.remainder(taps)
    weights = torch.zeros(outputs, taps, dtype=torch.float64)
    element = torch.arange(size).remainder(taps)
    step = max(LARGEST_PROBE // size, 1)
    for first in range(0, taps, step):
        some = torch.arange(first, min(first + step, taps))
        images = (element == some.unsqueeze(1)).double().reshape(-1, 1, 1, size)
        taken = interpolate(images).reshape(-1, outputs).t()
        place = residue - first
        found = (place >= 0) & (place < len(some))
        weights += taken.gather(1, place.clamp(0, len(some) - 1)) * found
    return weights
