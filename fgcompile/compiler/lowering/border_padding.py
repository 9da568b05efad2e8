"""Backward of padding that mirrors or repeats the border, ``{reflection,replication}_pad{1,2,3}d``.

The padding of an axis is a constant matrix, which is what it makes of the identity, and its backward the transpose. Of
a long axis that matrix is too large: there the padded ends are sliced off, folded back and added.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from fgcompile.compiler.ir.gathering import is_large
from fgcompile.compiler.ir.torch_internals import OpOverload
from fgcompile.compiler.lowering.axes import multiply_axis, pad_axis

aten = torch.ops.aten  # its operators are untyped, hence:
# mypy: no-warn-return-any

End = Callable[[Tensor, int], Tensor]


def _mirrored(end: Tensor, axis: int) -> Tensor:
    return aten.flip.default(end, [axis])


def _summed(end: Tensor, axis: int) -> Tensor:
    return aten.sum.dim_IntList(end, [axis], True)


def _lower(rank: int, forward: Callable[..., Tensor], fold_back: End, border: int) -> Callable[..., Tensor]:
    def lower(grad_output: Tensor, self: Tensor, padding: Sequence[int]) -> Tensor:
        """Lowers the backward: along each axis that is padded, ``g Mᵀ`` or its ends folded back."""
        g = grad_output
        for axis in range(self.dim() - rank, self.dim()):
            before, after = list(padding[2 * (self.dim() - 1 - axis) :][:2])
            size = self.shape[axis]
            if before == after == 0:
                continue
            if is_large(size, size + before + after):
                # A negative amount crops, and what is cropped gets no gradient.
                g = pad_axis(g, axis, max(-before, 0), max(-after, 0))
                g = _fold_ends(g, axis, (max(before, 0), size, max(after, 0)), fold_back, border)
            else:
                identity = torch.eye(size, dtype=g.dtype, device=g.device)
                g = multiply_axis(g, axis, forward(identity, [before, after]).t())
        return g

    return lower


def _fold_ends(g: Tensor, axis: int, sizes: tuple[int, int, int], fold_back: End, border: int) -> Tensor:
    """The middle of ``g`` with what its two ends become added: behind the first ``border`` places, before the last."""
    before, size, after = sizes

    def part(x: Tensor, start: int, end: int) -> Tensor:
        return aten.slice.Tensor(x, axis, start, end)

    x = part(g, before, before + size)
    # The two ends may meet in the middle, so one is added after the other.
    if before:
        end = fold_back(part(g, 0, before), axis)
        stop = border + end.shape[axis]
        x = _joined([part(x, 0, border), part(x, border, stop) + end, part(x, stop, size)], axis)
    if after:
        end = fold_back(part(g, before + size, before + size + after), axis)
        stop = size - border
        start = stop - end.shape[axis]
        x = _joined([part(x, 0, start), part(x, start, stop) + end, part(x, stop, size)], axis)
    return x


def _joined(parts: Sequence[Tensor], axis: int) -> Tensor:
    return aten.cat.default([part for part in parts if part.shape[axis] != 0], axis)


# A reflection leaves the border itself out: it folds the end back to the places behind it. A replication is the border.
LOWERINGS: dict[OpOverload, Callable[..., Any]] = {
    getattr(aten, f"{kind}_pad{rank}d_backward").default: _lower(
        rank, getattr(aten, f"{kind}_pad1d").default, fold_back, border
    )
    for kind, fold_back, border in (("reflection", _mirrored, 1), ("replication", _summed, 0))
    for rank in (1, 2, 3)
}
