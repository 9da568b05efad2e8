"""Interpolation along one axis as a matrix, of any sizes: arithmetic on ranges, which folds where they are numbers."""

from __future__ import annotations

import torch
from torch import Tensor


def linear_matrix(small: int, large: int, align_corners: bool, like: Tensor, scale: float | None = None) -> Tensor:
    """The hat functions of linear interpolation, ``max(0, 1 − |p_i − j|)``, ``(large, small)``.

    ``p_i`` is ``i (small − 1)/(large − 1)`` with aligned corners, else ``(i + ½) small/large − ½`` within the ends.

    A factor that leaves the size as it is copies.

    Args:
        small: The size before.
        large: The size after.
        align_corners: Whether the first and last places fall on each other.
        like: Has the dtype and the device.
        scale: What PyTorch divides ``i + ½`` by in place of ``large/small``.
    """
    rows, columns = _places(large, like).reshape([-1, 1]), _places(small, like).reshape([1, -1])
    if align_corners:
        places = rows * (small - 1) / (large - 1 if large > 1 else 1)
    else:
        half = (rows + 0.5) * small / large if scale is None else (rows + 0.5) / scale
        places = torch.minimum((half - 0.5).clamp(min=0), columns[:, -1:])
        if may_leave_sizes(scale):
            places = torch.where(equal_sizes(small, large, like), rows, places)
    return (1 - (places - columns).abs()).clamp(min=0)


def spreading_matrix(small: int, large: int, like: Tensor) -> Tensor:
    """How each of ``small`` cells is divided among ``large`` places, ``(large, small)``; every column adds up to 1.

    ``max(0, 1 − |p_i − j|/w)`` over its sum over ``i``, with half-pixel centres ``p_i`` and ``w = max(1, S/L)``:
    interpolation's weights where there are more places than cells, else those of interpolation from places to cells.
    """
    # The width is a tensor, since of dynamic sizes nobody knows which is the larger.
    ratio = torch.full((1, 1), 1.0, dtype=like.dtype, device=like.device) * small / large
    rows, columns = _places(large, like).reshape([-1, 1]), _places(small, like).reshape([1, -1])
    places = torch.minimum(((rows + 0.5) * small / large - 0.5).clamp(min=0), columns[:, -1:])
    weights = (1 - (places - columns).abs() / ratio.clamp(min=1)).clamp(min=0)
    return weights / weights.sum(0, keepdim=True)


def may_leave_sizes(scale: float | None) -> bool:
    """Whether a factor may leave a size as it is, ``⌊L s⌋ = L``: PyTorch then copies, and reads at no positions."""
    return scale is not None and 1 < scale < 2


def equal_sizes(small: int, large: int, like: Tensor) -> Tensor:
    """Whether they are equal, ``(1,)``: found out when the graph runs, if they are dynamic."""
    return torch.full((1,), 1, device=like.device) * small == large


def _places(size: int, like: Tensor) -> Tensor:
    return torch.arange(size, dtype=like.dtype, device=like.device)
