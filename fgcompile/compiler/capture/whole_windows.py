"""A pooling whose window is all of an axis of dynamic size, as global pooling is often written, is a mean or a maximum.

    avg_pool2d(y, y.shape[2:])      →  mean over these axes
    max_pool1d(y, y.shape[2])       →  the first of the largest

PyTorch reads a window's size as a number, which would make one of the axis.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import SymInt, Tensor

from fgcompile.compiler.capture.dynamic_pools import WRITTEN_OUT as POOLS
from fgcompile.compiler.ir.sizes import per_axis, same_size

IDLE: Mapping[str, Sequence[Any]] = {
    "padding": (0, (0,), (0, 0), (0, 0, 0)),
    "dilation": (1, (1,), (1, 1), (1, 1, 1)),
    "divisor_override": (None,),
    "return_indices": (False,),
}
"""The settings that change a pooling by a single window, and what leaves it as it is."""

BEHIND_THE_WINDOW = ("stride", "padding")
"""The names of the settings that may be given by position."""


def _over_all(pool: Callable[..., Tensor], rank: int, reduce: Callable[[Tensor, int], Tensor]) -> Callable[..., Tensor]:
    def pooled(input: Tensor, kernel_size: Any, *settings: Any, **options: Any) -> Tensor:
        given = dict(zip(BEHIND_THE_WINDOW, settings, strict=False)) | options
        window = per_axis(tuple(kernel_size) if isinstance(kernel_size, Sequence) else (kernel_size,), rank)
        whole = all(map(same_size, window, input.shape[-rank:])) and any(isinstance(size, SymInt) for size in window)
        idle = len(settings) <= len(BEHIND_THE_WINDOW) and all(
            given.get(name, of[0]) in of for name, of in IDLE.items()
        )
        return reduce(input, rank) if whole and idle else pool(input, kernel_size, *settings, **options)

    return pooled


def _mean(input: Tensor, rank: int) -> Tensor:
    return input.mean(tuple(range(-rank, 0)), keepdim=True)


def _first_maximum(input: Tensor, rank: int) -> Tensor:
    largest = input.flatten(-rank).max(-1).values
    return largest.reshape(*largest.shape, *[1] * rank)


WRITTEN_OUT: Mapping[Any, Callable[..., Tensor]] = {
    torch.avg_pool1d: _over_all(POOLS[F.avg_pool1d], 1, _mean),
    F.avg_pool2d: _over_all(POOLS[F.avg_pool2d], 2, _mean),
    F.avg_pool3d: _over_all(POOLS[F.avg_pool3d], 3, _mean),
    F.max_pool1d: _over_all(POOLS[F.max_pool1d], 1, _first_maximum),
    F.max_pool2d: _over_all(POOLS[F.max_pool2d], 2, _first_maximum),
    F.max_pool3d: _over_all(POOLS[F.max_pool3d], 3, _first_maximum),
}
