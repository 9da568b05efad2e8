"""Backward of sampling an image at the places of a grid: products with the weights of rows and columns, no scatter.

    y[c, p] = Σ_h Σ_w v[p, h] u[p, w] x[c, h, w],   u[p, w] = [w = ⌊s⌋](1 − s + ⌊s⌋) + [w = ⌊s⌋ + 1](s − ⌊s⌋)

at the position ``s`` of place ``p`` along the columns, and ``v`` alike along the rows. Places outside weigh nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from fgcompile.compiler.lowering.axes import is_dynamic, reshape

aten = torch.ops.aten  # its operators are untyped, hence:
# mypy: no-warn-return-any

BILINEAR, NEAREST = 0, 1
"""Interpolation modes; bicubic is left for a check to name."""
ZEROS, BORDER = 0, 1
"""Padding modes; reflection is left for a check to name."""


def _weigh(
    coordinate: Tensor, size: int, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> tuple[Tensor, Tensor]:
    """The weights ``(N, P, size)`` of an axis at coordinates ``(N, P)`` in [−1, 1], and their derivative."""
    scale = (size - 1) / 2 if align_corners else size / 2
    position = (coordinate + 1) * scale - (0.0 if align_corners else 0.5)
    inside = aten.logical_and.default(position > 0, position < size - 1)
    if padding_mode == BORDER:
        position = aten.clamp.default(position, 0, size - 1)
    position = aten.unsqueeze.default(position, -1)
    tap = torch.arange(size, device=coordinate.device).to(coordinate.dtype)
    if interpolation_mode == NEAREST:
        weights = aten.eq.Tensor(aten.round.default(position), tap).to(coordinate.dtype)
        return weights, weights * 0
    low = aten.floor.default(position)
    first, second = (aten.eq.Tensor(base, tap).to(coordinate.dtype) for base in (low, low + 1))
    slopes = (second - first) * scale
    if padding_mode == BORDER:
        slopes = slopes * aten.unsqueeze.default(inside.to(coordinate.dtype), -1)
    return first + (second - first) * (position - low), slopes


def lower_grid_sampler_2d_backward(
    grad_output: Tensor,
    input: Tensor,
    grid: Tensor,
    interpolation_mode: int,
    padding_mode: int,
    align_corners: bool,
    output_mask: Sequence[bool],
) -> Any:
    """``∂x = (g ⊙ v) u``, and for the grid the products with the weights' derivatives."""
    channels, height, width = input.shape[1:]
    rows, columns = grid.shape[1:3]
    if any(is_dynamic(size) for size in (height, width, rows, columns)):
        return NotImplemented
    if interpolation_mode not in (BILINEAR, NEAREST) or padding_mode not in (ZEROS, BORDER):
        return NotImplemented
    places = rows * columns
    points = reshape(grid, [grid.shape[0], places, 2])
    (across, across_slope), (down, down_slope) = (
        _weigh(aten.select.int(points, -1, axis), size, interpolation_mode, padding_mode, align_corners)
        for axis, size in enumerate((width, height))
    )
    g = reshape(grad_output, [grad_output.shape[0], channels, 1, places])

    def over_rows(weights: Tensor) -> Tensor:
        return aten.unsqueeze.default(aten.transpose.int(weights, 1, 2), 1)

    def over_columns(weights: Tensor) -> Tensor:
        lines = reshape(input, [input.shape[0], channels * height, width])
        taken = aten.bmm.default(lines, aten.transpose.int(weights, 1, 2))
        return reshape(taken, [input.shape[0], channels, height, places])

    spread = reshape(g * over_rows(down), [input.shape[0], channels * height, places])
    image = reshape(aten.bmm.default(spread, across), input.shape)
    gradients = [
        aten.sum.dim_IntList(g * over_rows(v) * over_columns(u), [1, 2])
        for u, v in ((across_slope, down), (across, down_slope))
    ]
    whole = reshape(torch.stack(gradients, -1), grid.shape)
    return image if output_mask[0] else None, whole if output_mask[1] else None


LOWERINGS: dict[torch._ops.OpOverload, Callable[..., Any]] = {
    aten.grid_sampler_2d_backward.default: lower_grid_sampler_2d_backward,
}
