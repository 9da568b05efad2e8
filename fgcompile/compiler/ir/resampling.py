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
        places = rows * (small - 1) / last_of(large, rows)
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


def last_of(size: int, like: Tensor) -> int | Tensor:
    """``size − 1``, at least 1, which positions are divided by; a tensor where the size is found out when it runs.

    A symbolic size counts as more than 1 to whoever compares it, so the graph has to compare it itself.
    """
    if isinstance(size, int):
        return max(size - 1, 1)
    return (torch.full((1,), 1, dtype=like.dtype, device=like.device) * (size - 1)).clamp(min=1)


def may_leave_sizes(scale: float | None) -> bool:
    """Whether a factor may leave a size as it is, ``⌊L s⌋ = L``: PyTorch then copies, and reads at no positions."""
    return scale is not None and 1 < scale < 2


def equal_sizes(small: int, large: int, like: Tensor) -> Tensor:
    """Whether they are equal, ``(1,)``: found out when the graph runs, if they are dynamic."""
    return torch.full((1,), 1, device=like.device) * small == large


def nearest_places(read: Tensor, sizes: tuple[int, int], rows: Tensor, scale: float | None) -> Tensor:
    """What images are read at by PyTorch's nearest-neighbour interpolation, of what the factor gives, ``read``.

    It copies an axis whose size the factor leaves, or exactly doubles: ``i`` and ``⌊i/2⌋`` in place of ``⌊i/s⌋``.

    Args:
        read: The places by the factor.
        sizes: Those before and after.
        rows: The places ``i`` of the output.
        scale: The factor.
    """
    if may_leave_sizes(scale):
        read = torch.where(equal_sizes(*sizes, rows), rows, read)
    if scale is not None and 2 < scale < DOUBLING:
        read = torch.where(equal_sizes(2 * sizes[0], sizes[1], rows), torch.div(rows, 2, rounding_mode="floor"), read)
    return read


DOUBLING = 3
"""The factor below which ``⌊L s⌋`` may be twice ``L``."""


def _places(size: int, like: Tensor) -> Tensor:
    return torch.arange(size, dtype=like.dtype, device=like.device)
