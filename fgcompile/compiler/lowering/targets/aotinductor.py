"""Input-gradient of a strided convolution as one sub-pixel convolution, for AOTInductor.

With ``y[o] = Σ_k w[k] x[s·o + k − p]`` along each axis, position ``i = s·m + r`` of the input gets

    ``∂x[s·m + r] = Σ_e w[r + p − s·e] g[m + e]``,   ``lo = ⌈(p − K + 1)/s⌉ ≤ e ≤ hi = ⌊(p + s − 1)/s⌋``,

where ``w`` is zero outside the kernel. For all phases ``r`` at once that is one convolution of ``g`` with stride 1 and
``s`` times as many channels along each axis, whose channels are then interleaved into space. Its weights are those of
the kernel, padded with zeros and cut into pieces of ``s``.

oneDNN, which AOTInductor calls on the CPU, is slow at transposed convolutions to few channels, and does not lay out
their weights beforehand; of many channels phases are as good as in ONNX Runtime
(``docs/decisions/subpixel-convolutions.md``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from fgcompile.compiler.lowering.axes import pad_axes, reshape
from fgcompile.compiler.lowering.convolution import Form, Layer, choose_form, convolve, make_lowering

aten = torch.ops.aten  # its operators are untyped, hence:
# mypy: no-warn-return-any

_BLOCK = 16
"""Fewest channels for which oneDNN is as fast at the other forms."""


def _choose_form(layer: Layer) -> Form:
    """The sub-pixel form where it is faster, else as for every format."""
    strided = not layer.transposed and layer.groups == 1 and max(layer.dilation) == 1 and max(layer.stride) > 1
    if not strided or layer.has_dynamic_sizes or layer.input.shape[1] >= _BLOCK:
        return choose_form(layer)
    reason = f"{layer.input.shape[1]} channels: oneDNN is slow at transposed convolutions to few"
    return "one sub-pixel convolution for all phases", reason, _differentiate


def _differentiate(layer: Layer) -> Tensor:
    """One convolution of ``g`` for all phases, interleaved and cropped.

    Its padding is the same at both ends, and what that adds is cropped: a padding apart would be a copy of ``g``.
    """
    g, stride, padding = layer.g, layer.stride, layer.padding
    rank, channels = len(stride), layer.input.shape[1]
    lows = [-((k - 1 - p) // s) for k, s, p in zip(layer.kernel, stride, padding, strict=True)]
    highs = [(p + s - 1) // s for s, p in zip(stride, padding, strict=True)]
    counts = [-(-size // s) for size, s in zip(layer.sizes, stride, strict=True)]
    after = [count + high - size for count, high, size in zip(counts, highs, g.shape[2:], strict=True)]
    ends = [max(-low, high, 0) for low, high in zip(lows, after, strict=True)]
    phases = convolve(g, _cut_kernel(layer.weight, stride, padding, lows, highs), 1, padding=ends)
    phases = pad_axes(
        phases,
        [-low - end for low, end in zip(lows, ends, strict=True)],
        [high - end for high, end in zip(after, ends, strict=True)],
    )
    split = reshape(phases, [g.shape[0], *stride, channels, *counts])
    axes = [axis for pair in zip(range(rank + 2, 2 * rank + 2), range(1, rank + 1), strict=True) for axis in pair]
    spread = aten.permute.default(split, [0, rank + 1, *axes])
    sizes = [count * s for count, s in zip(counts, stride, strict=True)]
    return layer.crop(reshape(spread, [g.shape[0], channels, *sizes]))


def _cut_kernel(
    weight: Tensor, stride: Sequence[int], padding: Sequence[int], lows: Sequence[int], highs: Sequence[int]
) -> Tensor:
    """``(O, I, *K)`` to ``(∏s · I, O, *(hi − lo + 1))``: for each phase the taps that it takes, last offset first."""
    rank = len(stride)
    outputs, inputs, *kernel = weight.shape
    taps = [high - low + 1 for low, high in zip(lows, highs, strict=True)]
    before = [s * high - p for s, high, p in zip(stride, highs, padding, strict=True)]
    after = [s * count - k - low for s, count, k, low in zip(stride, taps, kernel, before, strict=True)]
    padded = pad_axes(weight, before, after)
    pieces = [size for pair in zip(taps, stride, strict=True) for size in pair]
    flipped = aten.flip.default(padded.reshape([outputs, inputs, *pieces]), list(range(2, 2 * rank + 2, 2)))
    order = [*range(3, 2 * rank + 2, 2), 1, 0, *range(2, 2 * rank + 2, 2)]
    return aten.permute.default(flipped, order).reshape([-1, outputs, *taps])


lower_convolution_backward = make_lowering(_choose_form)

LOWERINGS: dict[torch._ops.OpOverload, Callable[..., Any]] = {
    aten.convolution_backward.default: lower_convolution_backward,
}
