"""How the sum over a coarse layer's terms becomes a map of the input's size: interpolated, or divided among the places.

Interpolation gives each place the value of the cells around it, so that a coarse cell counts once for every place that
it covers. Where what the places add to the score has to stay the same sum, each cell is divided among its places.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from fgcompile.compiler.ir.gathering import (
    add_back_by_gathers,
    interpolate_by_gathers,
    is_large,
    spread_by_gathers,
)
from fgcompile.compiler.ir.resampling import linear_matrix, spreading_matrix
from fgcompile.compiler.ir.size_bounds import surely_at_most
from fgcompile.compiler.ir.sizes import same_size


def interpolated(values: Tensor, size: Sequence[int], align_corners: bool) -> Tensor:
    """Multilinear interpolation of ``(N, *spatial)``: one matrix product per axis, or two gathers of a long one."""
    for axis, (small, large) in enumerate(zip(values.shape[1:], size, strict=True), start=1):
        if same_size(small, large):
            continue
        if is_large(small, large):
            values = interpolate_by_gathers(values, axis, large, align_corners)
        else:
            values = _product_along(values, linear_matrix(small, large, align_corners, values), axis)
    return values


def divided(values: Tensor, size: Sequence[int]) -> Tensor:
    """``(N, *spatial)`` at another size and with the same sum: each cell divided among the places that it covers."""
    for axis, (small, large) in enumerate(zip(values.shape[1:], size, strict=True), start=1):
        if same_size(small, large):
            continue
        if is_large(small, large):
            values = _divided_by_gathers(values, axis, large)
        else:
            values = _product_along(values, spreading_matrix(small, large, values), axis)
    return values


def _divided_by_gathers(values: Tensor, axis: int, size: int) -> Tensor:
    """The same of a long axis: cells that many places read, or cells that are read at their own places."""
    # Among fewer places a cell is divided as interpolation from the places to the cells would read them.
    small = values.shape[axis]
    if surely_at_most(small, size):
        return spread_by_gathers(values, axis, size)
    added = add_back_by_gathers(values, axis, size, False)
    if surely_at_most(size, small):
        return added
    finer = torch.full((1,), 1.0, dtype=values.dtype, device=values.device) * small > size
    return torch.where(finer, added, spread_by_gathers(values, axis, size))


def _product_along(values: Tensor, matrix: Tensor, axis: int) -> Tensor:
    """Applies ``matrix`` ``(large, small)`` along an axis of ``(N, *spatial)``."""
    if axis == values.ndim - 1:
        return torch.matmul(values, matrix.t())
    if axis == values.ndim - 2:
        return torch.matmul(matrix, values)
    return torch.matmul(values.transpose(axis, -1), matrix.t()).transpose(axis, -1)
