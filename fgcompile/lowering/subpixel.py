"""Input-gradient of a strided convolution as one sub-pixel convolution, for AOTInductor.

With ``y[o] = Σ_k w[k] x[s·o + k − p]`` along each axis, position ``i = s·m + r`` of the input gets

    ``∂x[s·m + r] = Σ_e w[r + p − s·e] g[m + e]``,   ``lo = ⌈(p − K + 1)/s⌉ ≤ e ≤ hi = ⌊(p + s − 1)/s⌋``,

where ``w`` is zero outside the kernel. For all phases ``r`` at once that is one convolution of ``g`` with stride 1 and
``s`` times as many channels along each axis, whose channels are then interleaved into space. Its weights are those of
the kernel, padded with zeros and cut into pieces of ``s``.

oneDNN, which AOTInductor calls on the CPU, is slow at transposed convolutions to few channels, and does not lay out
their weights beforehand. Measured in torch 2.13, 1 thread, ms, sub-pixel against transposed: 7×7 s2 stem of a ResNet
4.6 and 12.2. For many channels phases are as good there as in ONNX Runtime, see ``convolution``. So is the lowering of
max pooling: a whole ResNet-18 takes 97.3 ms with it, and 97.6 with PyTorch's own operator. With PyTorch's own
``convolution_backward``, whose weights Inductor does not lay out beforehand, it takes 116.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from fgcompile.choices import chosen
from fgcompile.lowering import convolution
from fgcompile.lowering.axes import is_dynamic, pad_axes, per_axis, reshape

aten = torch.ops.aten  # its operators are untyped, hence:
# mypy: no-warn-return-any

_BLOCK = 16
"""Fewest channels for which oneDNN is as fast at the other forms."""


def lower_convolution_backward(
    grad_output: Tensor,
    input: Tensor,
    weight: Tensor,
    bias_sizes: Sequence[int] | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
    output_mask: Sequence[bool],
) -> Any:
    """Lowers ``convolution_backward``: the sub-pixel form where it is faster, else as for every format."""
    rank = input.dim() - 2
    steps = per_axis(stride, rank)
    strided = not transposed and groups == 1 and max(dilation) == 1 and max(steps) > 1
    fixed = not any(is_dynamic(size) for size in input.shape[2:])
    if strided and fixed and input.shape[1] < _BLOCK and list(output_mask) == [True, False, False]:
        reason = f"{input.shape[1]} channels: oneDNN is slow at transposed convolutions to few"
        with chosen("convolution, backward", "one sub-pixel convolution for all phases", reason):
            return _differentiate(grad_output, input, weight, steps, per_axis(padding, rank)), None, None
    return convolution.lower_convolution_backward(
        grad_output,
        input,
        weight,
        bias_sizes,
        stride,
        padding,
        dilation,
        transposed,
        output_padding,
        groups,
        output_mask,
    )


def _differentiate(g: Tensor, input: Tensor, weight: Tensor, stride: Sequence[int], padding: Sequence[int]) -> Tensor:
    """One convolution of ``g`` for all phases, interleaved and cropped.

    Its padding is the same at both ends, and what that adds is cropped: a padding apart would be a copy of ``g``.
    """
    rank = len(stride)
    lows = [-((k - 1 - p) // s) for k, s, p in zip(weight.shape[2:], stride, padding, strict=True)]
    highs = [(p + s - 1) // s for s, p in zip(stride, padding, strict=True)]
    counts = [-(-size // s) for size, s in zip(input.shape[2:], stride, strict=True)]
    after = [count + high - size for count, high, size in zip(counts, highs, g.shape[2:], strict=True)]
    ends = [max(-low, high, 0) for low, high in zip(lows, after, strict=True)]
    phases = convolution.convolve(g, _cut_kernel(weight, stride, padding, lows, highs), 1, padding=ends)
    phases = pad_axes(
        phases,
        [-low - end for low, end in zip(lows, ends, strict=True)],
        [high - end for high, end in zip(after, ends, strict=True)],
    )
    split = reshape(phases, [g.shape[0], *stride, input.shape[1], *counts])
    axes = [axis for pair in zip(range(rank + 2, 2 * rank + 2), range(1, rank + 1), strict=True) for axis in pair]
    spread = aten.permute.default(split, [0, rank + 1, *axes])
    sizes = [count * s for count, s in zip(counts, stride, strict=True)]
    return convolution.crop(reshape(spread, [g.shape[0], input.shape[1], *sizes]), input)


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


DECOMPOSITIONS: dict[torch._ops.OpOverload, Callable[..., Any]] = {
    aten.convolution_backward.default: lower_convolution_backward,
}
