"""Linear interpolation along one long axis as two gathers and a weighted sum: memory grows with the length alone.

The matrices of ``resampling`` grow with the square, and are faster where they are small. Positions are counted in whole
numbers, ``p_i = n_i/d``, so that they are exact at any length, in any precision.
"""

from __future__ import annotations

import torch
from torch import Tensor

from fgcompile.compiler.ir.sizes import hint

LARGEST_MATRIX = 1 << 20
"""Entries of a matrix above which gathers take its place: 4 MB in float32. Images of 1024² stay below."""


def is_large(small: int, large: int) -> bool:
    """Whether a matrix between two sizes has too many entries; dynamic sizes count as the example's."""
    return hint(small) * hint(large) > LARGEST_MATRIX


def interpolate_by_gathers(values: Tensor, axis: int, size: int, align_corners: bool) -> Tensor:
    """``x[⌊p_i⌋] + (p_i − ⌊p_i⌋)(x[⌊p_i⌋ + 1] − x[⌊p_i⌋])`` along an axis, with the positions of ``linear_matrix``."""
    count = values.shape[axis]
    rows = torch.arange(size, device=values.device)
    if align_corners:
        whole = size - 1 if size > 1 else 1
        places = rows * (count - 1)
    else:
        whole = 2 * size
        places = (((rows * 2 + 1) * count) - size).clamp(min=0).clamp(max=(count - 1) * whole)
    low = torch.div(places, whole, rounding_mode="floor")
    fraction = (places - low * whole).to(values.dtype) / whole
    first = values.index_select(axis, low)
    second = values.index_select(axis, (low + 1).clamp(max=count - 1))
    return first + (second - first) * fraction.reshape([-1, *[1] * (values.ndim - 1 - axis)])


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
