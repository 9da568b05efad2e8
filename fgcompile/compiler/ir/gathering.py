"""Linear interpolation along one long axis, and its transpose, by gathers and weighted sums, linear in the length.

The matrices of ``resampling`` grow with the square, and are faster where they are small. Positions are counted in whole
numbers, ``p_i = n_i/d``, so that they are exact at any length, in any precision.
"""

from __future__ import annotations

from fractions import Fraction

import torch
from torch import Tensor

from fgcompile.compiler.ir.resampling import equal_sizes, may_leave_sizes
from fgcompile.compiler.ir.sizes import hint

LARGEST_MATRIX = 1 << 20
"""Entries of a matrix above which gathers take its place: 4 MB in float32. Images of 1024² stay below."""


def is_large(small: int, large: int) -> bool:
    """Whether a matrix between two sizes has too many entries; dynamic sizes count as the example's."""
    return hint(small) * hint(large) > LARGEST_MATRIX


def interpolate_by_gathers(
    values: Tensor, axis: int, size: int, align_corners: bool, scale: float | None = None
) -> Tensor:
    """``x[⌊p_i⌋] + (p_i − ⌊p_i⌋)(x[⌊p_i⌋ + 1] − x[⌊p_i⌋])`` along an axis, with the positions of ``linear_matrix``."""
    count = values.shape[axis]
    places, whole = _positions(torch.arange(size, device=values.device), (count, size), align_corners, scale)
    low = torch.div(places, whole, rounding_mode="floor")
    fraction = (places - low * whole).to(values.dtype) / whole
    first = values.index_select(axis, low)
    second = values.index_select(axis, (low + 1).clamp(max=count - 1))
    return first + (second - first) * fraction.reshape([-1, *[1] * (values.ndim - 1 - axis)])


def add_back_by_gathers(
    values: Tensor, axis: int, size: int, align_corners: bool, scale: float | None = None
) -> Tensor:
    """The transpose of ``interpolate_by_gathers``, from its output's size to ``size``.

    The places that read an element, ``j − 1 < p_i < j + 1``, lie side by side: ``out[j] = Σ_i (1 − |p_i − j|) g[i]``.
    """
    count, elements = values.shape[axis], torch.arange(size, device=values.device)
    if align_corners:
        # i > (j − 1)(O − 1)/(S − 1), and S/(S − 1) ≤ 2; a single place reads at 0, of a single element all do.
        first = torch.div((elements - 1) * (count - 1), elements[-1:].clamp(min=1), rounding_mode="floor")
        most = (4 * count) // size + 4
    else:
        # i > ((2 j − 1) u − d)/(2 d), with u/d for O/S or the factor.
        up, down = (count, size) if scale is None else _ratio(scale)
        first = torch.div((elements * 2 - 1) * up - down, 2 * down, rounding_mode="floor") + 1
        most = (2 * up + down - 1) // down + 1
    rows = first.reshape([-1, 1]) + torch.arange(most, device=values.device)
    places, whole = _positions(rows, (size, count), align_corners, scale)
    shares = (whole - (places - elements.reshape([-1, 1]) * whole).abs()).clamp(min=0)
    inside = torch.logical_and(rows >= 0, rows < count)
    weights = shares.to(values.dtype) / whole * inside.to(values.dtype)
    return add_windows(values, axis, rows.clamp(min=0).clamp(max=count - 1), weights)


def add_windows(values: Tensor, axis: int, index: Tensor, weights: Tensor) -> Tensor:
    """``out[r] = Σ_t weights[r, t] x[index[r, t]]`` along an axis; both are ``(R, T)``, and sizes may be symbolic."""
    before, after = values.shape[:axis], values.shape[axis + 1 :]
    windows = values.index_select(axis, index.reshape([-1])).reshape([*before, *index.shape, *after])
    return (windows * weights.reshape([*weights.shape, *[1] * len(after)])).sum(axis + 1)


def _positions(
    rows: Tensor, sizes: tuple[int, int], align_corners: bool, scale: float | None
) -> tuple[Tensor, int | Tensor]:
    """``n_i`` and ``d`` of the positions ``n_i/d`` of ``rows``; ``sizes`` are those of the axis before and after."""
    count, size = sizes
    if align_corners:
        whole = size - 1 if size > 1 else 1
        return rows * (count - 1), whole
    if scale is None:
        whole = 2 * size
        places = ((rows * 2 + 1) * count) - size
    else:
        up, down = _ratio(scale)
        whole = 2 * up
        places = (rows * 2 + 1) * down - up
        if may_leave_sizes(scale):
            places = torch.where(equal_sizes(count, size, rows), rows * whole, places)
    return places.clamp(min=0).clamp(max=(count - 1) * whole), whole


def _ratio(scale: float) -> tuple[int, int]:
    """A factor as a fraction: the one of 26 bits that is nearest, so that products with sizes stay below 2⁶³."""
    fraction = Fraction(scale).limit_denominator(1 << 26)
    return fraction.numerator, fraction.denominator


def spread_by_gathers(values: Tensor, axis: int, size: int) -> Tensor:
    """Divides each cell among at least as many places, by the weights with which they read it (half-pixel centres)."""
    shares = _sums_of_weights(values.shape[axis], size, values)
    return interpolate_by_gathers(values / shares.reshape([-1, *[1] * (values.ndim - 1 - axis)]), axis, size, False)


def _sums_of_weights(small: int, large: int, like: Tensor) -> Tensor:
    """``Σ_i M_ij`` of half-pixel interpolation, ``(small,)``: two arithmetic series for each cell ``j``.

    The places between two cells, ``j < p_i ≤ j + 1``, add ``p_i − j`` to the upper one and the rest to the lower. Those
    beyond the first and the last cell's centre add 1 to it.
    """
    edges = torch.arange(small, device=like.device)
    twice = 2 * large
    # How many places lie at or before each cell's centre: i ≤ (2 L j + L − S) / (2 S).
    before = torch.div(edges * twice + (large - small), 2 * small, rounding_mode="floor") + 1
    start, stop = before[:-1], before[1:]
    count = stop - start
    upper = ((stop + start) * small - large - edges[:-1] * twice) * count  # Σ (p_i − j), times 2 L
    lower = count * twice - upper
    below = torch.cat([before[:1] * twice, upper])
    above = torch.cat([lower, (large - before[-1:]) * twice])
    return (below + above).to(like.dtype) / twice
