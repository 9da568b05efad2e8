"""Poolings over axes of dynamic size, whose form would be chosen by the example's: in ceil mode, and of signals.

In ceil mode the last window of ``K`` is left out if it would begin behind the axis, ``s·o ≥ L + p``, which PyTorch
decides by the example. There are ``⌊(L + p − 1)/s⌋ + 1`` windows where K < s + p and one may be, else
``⌈(L + 2p − K)/s⌉ + 1`` and none is: both are those of floor mode over ``e = min(s − 1, K − 1 − p)`` places more.

    max_pool(x, ceil)  =  max_pool(x with e places more, each what lies d before it)   where its windows read that too
    avg_pool(x, ceil)  =  avg_pool(x with e zeros more) ⊙ k/count                      the places that a window counts

``max_pool1d`` is the pooling of an image of one row: PyTorch's own reads the length as a number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import SymInt, Tensor

from fgcompile.compiler.ir.sizes import per_axis

Setting = int | Sequence[int]


def _largest(rank: int) -> Callable[..., Any]:
    pool: Callable[..., Any] = (F.max_pool1d, F.max_pool2d, F.max_pool3d)[rank - 1]

    def maximum(
        input: Tensor,
        kernel_size: Setting,
        stride: Setting | None = None,
        padding: Setting = 0,
        dilation: Setting = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        """``max_pool{1,2,3}d``; with indices it is PyTorch's, which count the places of the input."""
        if return_indices or not _is_dynamic(input, rank):
            return pool(input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)
        kernel, steps, before, apart = _settings(rank, kernel_size, stride, padding, dilation)
        if ceil_mode:
            spans = [d * (k - 1) + 1 for k, d in zip(kernel, apart, strict=True)]
            for axis, more in enumerate(_more(spans, steps, before), start=-rank):
                input = _longer(input, axis, more, apart[axis])
        if rank == 1:
            row = F.max_pool2d(input.unsqueeze(-2), (1, *kernel), (1, *steps), (0, *before), (1, *apart))
            return row.squeeze(-2)
        return pool(input, kernel, steps, before, apart)

    return maximum


def _average(rank: int) -> Callable[..., Any]:
    pool: Callable[..., Tensor] = (F.avg_pool1d, F.avg_pool2d, F.avg_pool3d)[rank - 1]

    def average(
        input: Tensor,
        kernel_size: Setting,
        stride: Setting | None = None,
        padding: Setting = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Tensor:
        """``avg_pool{1,2,3}d``."""
        divisor = () if divisor_override is None else (divisor_override,)
        if not ceil_mode or not _is_dynamic(input, rank):
            return pool(input, kernel_size, stride, padding, ceil_mode, count_include_pad, *divisor)
        kernel, steps, before, _ = _settings(rank, kernel_size, stride, padding, 1)
        behind = [part for more in reversed(_more(kernel, steps, before)) for part in (0, more)]
        result = pool(F.pad(input, behind), kernel, steps, before, False, True, *divisor)
        if divisor:
            return result
        for axis in range(-rank, 0):
            size, (k, s, p) = input.shape[axis], (kernel[axis], steps[axis], before[axis])
            first = torch.arange(result.shape[axis], dtype=input.dtype, device=input.device) * s - p
            counted = (first + k).clamp(max=size + p if count_include_pad else size)
            counted = counted - (first if count_include_pad else first.clamp(min=0))
            result = result * (k / counted).reshape([-1, *[1] * (-axis - 1)])
        return result

    return average


def _is_dynamic(x: Tensor, rank: int) -> bool:
    return any(isinstance(size, SymInt) for size in x.shape[-rank:])


def _settings(rank: int, *settings: Setting | None) -> list[list[int]]:
    """Kernel, stride, padding and dilation of each axis; a stride that is left out is the kernel."""
    kernel, stride, *rest = settings
    given = (kernel, stride if stride else kernel, *rest)
    return [per_axis([value] if isinstance(value, int) else value, rank) for value in given]  # type: ignore[arg-type]


def _more(spans: Sequence[int], stride: Sequence[int], padding: Sequence[int]) -> list[int]:
    """How many places each axis is to be longer."""
    return [max(min(s - 1, span - 1 - p), 0) for span, s, p in zip(spans, stride, padding, strict=True)]


def _longer(x: Tensor, axis: int, more: int, dilation: int) -> Tensor:
    """An axis with more places at its end, which repeat the last ``dilation`` ones."""
    if not more:
        return x
    last = x.narrow(axis, x.shape[axis] - dilation, dilation)
    return torch.cat([x, *[last] * (more // dilation), last.narrow(axis, 0, more % dilation)], axis)


WRITTEN_OUT: Mapping[Any, Callable[..., Any]] = {
    F.max_pool1d: _largest(1),
    F.max_pool2d: _largest(2),
    F.max_pool3d: _largest(3),
    torch.max_pool1d: _largest(1),
    torch.max_pool2d: _largest(2),
    torch.max_pool3d: _largest(3),
    F.avg_pool1d: _average(1),
    F.avg_pool2d: _average(2),
    F.avg_pool3d: _average(3),
}
