"""Convolutions whose weights are each sample's own, written as a group a sample: modulated, conditional, correlating.

    conv(x (1, N·C, *space), w (N·O, C, *k), groups=N)   →   y_n = Σ_taps w_n[tap] · x_n[shifted by the tap]

No format takes a number of groups that the batch decides. The taps are slices of the padded input, and their sum is one
product of matrices for each sample. A transposed one is that of the input with zeros between, its weights flipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import torch
import torch.nn.functional as F
from torch import SymInt, Tensor

from fgcompile.compiler.ir.sizes import per_axis


def decompose_convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Any:
    """The product of samples with their own weights, where as many groups as samples decide; any other stays."""
    rank = input.dim() - 2
    stride, padding, dilation, extra = (per_axis(value, rank) for value in (stride, padding, dilation, output_padding))
    if not isinstance(groups, SymInt) or any(isinstance(size, SymInt) for size in weight.shape[1:]):
        return NotImplemented
    margins = [(pad, pad) for pad in padding]
    if transposed:
        # A group's weights are (C, O, *k); its output reaches d (k − 1) − p beyond what is spread.
        w = weight.unflatten(0, (groups, -1)).transpose(1, 2).flip(list(range(3, 3 + rank)))
        x = _spread(input.reshape(groups, -1, *input.shape[2:]), stride)
        reaches = [step * (k - 1) - pad for step, k, pad in zip(dilation, w.shape[3:], padding, strict=True)]
        margins = [(reach, reach + more) for reach, more in zip(reaches, extra, strict=True)]
        stride = [1] * rank
    else:
        w = weight.unflatten(0, (groups, -1))
        x = input.reshape(groups, -1, *input.shape[2:])
    y = _correlate(F.pad(x, [margin for pair in reversed(margins) for margin in pair]), w, stride, dilation)
    y = y.reshape(1, -1, *y.shape[2:])
    return y if bias is None else y + bias.reshape(-1, *[1] * rank)


def _spread(x: Tensor, stride: Sequence[int]) -> Tensor:
    """``x`` with ``s − 1`` zeros between its places along each axis of space."""
    for axis, step in enumerate(stride, 2):
        if step > 1:
            gaps = F.pad(x.unsqueeze(axis + 1), [*[0, 0] * (x.dim() - 1 - axis), 0, step - 1])
            x = gaps.flatten(axis, axis + 1).narrow(axis, 0, (x.shape[axis] - 1) * step + 1)
    return x


def _correlate(x: Tensor, w: Tensor, stride: Sequence[int], dilation: Sequence[int]) -> Tensor:
    """``y[g, o] = Σ_{c, tap} w[g, o, c, tap] x[g, c, s · place + d · tap]``."""
    kernel = w.shape[3:]
    sizes = [
        (size - step * (k - 1) - 1) // s + 1
        for size, k, s, step in zip(x.shape[2:], kernel, stride, dilation, strict=True)
    ]
    taps = []
    for tap in product(*map(range, kernel)):
        part = x
        for axis, (place, step, s, count) in enumerate(zip(tap, dilation, stride, sizes, strict=True), 2):
            first = place * step
            part = part[(*[slice(None)] * axis, slice(first, first + (count - 1) * s + 1, s))]
        taps.append(part)
    columns = torch.stack(taps, 2).flatten(1, 2).flatten(2)
    return torch.bmm(w.flatten(2), columns).reshape(x.shape[0], -1, *sizes)
