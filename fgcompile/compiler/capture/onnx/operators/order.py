"""What works along an axis in order: the largest, sums of all before, the other way round."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.compiler.capture.onnx.values import Known
from fgcompile.errors import UnsupportedOpError


def top_k(x: Tensor, k: Any, *, axis: int = -1, largest: int = 1, sorted: int = 1) -> tuple[Tensor, Tensor]:
    """The k largest or smallest along an axis, and where they are."""
    count = k[0] if isinstance(k, list) else k
    values, indices = torch.topk(x, count, axis, bool(largest), bool(sorted))
    return values, indices


def _cumulative(compute: Callable[[Tensor, int], Tensor], neutral: float) -> Operator:
    def along(x: Tensor, axis: Any, *, exclusive: int = 0, reverse: int = 0) -> Tensor:
        """Of all elements up to each, or behind each with ``reverse``; without itself with ``exclusive``."""
        dim = axis[0] if isinstance(axis, list) else axis
        x = x.flip(dim) if reverse else x
        # PyTorch's sums of small integers are of larger ones.
        y = compute(x, dim).to(x.dtype)
        if exclusive:
            first = torch.full_like(y.narrow(dim, 0, 1), neutral)
            y = torch.cat([first, y.narrow(dim, 0, y.shape[dim] - 1)], dim)
        return y.flip(dim) if reverse else y

    return Operator(along, ("axis",))


def reverse_sequence(x: Tensor, sequence_lens: Any, *, batch_axis: int = 1, time_axis: int = 0) -> Tensor:
    """The first so many steps of each sample the other way round; what is behind them stays."""
    size = x.shape[time_axis]
    if isinstance(sequence_lens, np.ndarray):
        if all(isinstance(each, int) and each == size for each in sequence_lens.tolist()):
            return x.flip(time_axis)
        sequence_lens = torch.from_numpy(sequence_lens)
    steps = torch.arange(size)
    lengths = sequence_lens.to(torch.int64)[:, None]
    places = torch.where(steps < lengths, lengths - 1 - steps, steps)  # (batch, time)
    order = places if batch_axis < time_axis else places.T
    order = order.reshape([*order.shape, *[1] * (x.ndim - 2)]).expand(x.shape)
    return torch.gather(x, time_axis, order)


def unique(x: Any, *, axis: int | None = None, sorted: int = 1) -> tuple[Known, Known, Known, Known]:
    """The different elements, where each is first, which each element is, and how often it is there."""
    if not isinstance(x, np.ndarray):
        raise UnsupportedOpError("finds how many different values are computed: one graph needs them constant")
    values, first, inverse, counts = np.unique(x, True, True, True, axis=axis)
    inverse = inverse.reshape(-1)
    if not sorted:
        order = np.argsort(first)
        values, first, counts = np.take(values, order, axis or 0), first[order], counts[order]
        inverse = np.argsort(order)[inverse]
    return values, first.astype(np.int64), inverse.astype(np.int64), counts.astype(np.int64)


ORDER: dict[str, Operator] = {
    "TopK": Operator(top_k, ("k",)),
    "CumSum": _cumulative(torch.cumsum, 0),
    "CumProd": _cumulative(torch.cumprod, 1),
    "ReverseSequence": Operator(reverse_sequence, either=("sequence_lens",)),
    "Unique": Operator(unique, either=("x",), note="of constants"),
}
