"""Input-gradient of a convolution, as convolutions.

With ``y[o] = Σ_k w[k] x[s·o + d·k − p]`` along each axis, the gradient is ``∂x[i] = Σ_k w[k] g[(i + p − d·k)/s]``
over the taps ``k`` for which the division is exact. Three forms:

- **stride 1**: a convolution with the flipped, transposed weight and padding ``d(k − 1) − p``;
- **stride 2, two-dimensional, many channels**: one convolution per *phase*, ``i = s·m + r``, with exactly the taps of
  that phase. ``k₀ = (r + p) mod s`` is its first tap, ``J = ⌈(K − k₀)/s⌉`` their number and ``q = (r + p − k₀)/s``, so
  that ``∂x[s·m + r] = Σ_j w[k₀ + s·j] g[m + q − j]``; then interleave. (``d = 1``)
- **otherwise**: the transposed convolution.

Measured in ONNX Runtime 1.32, 1 thread, ms, phases against ConvTranspose. Between two 3×3 convolutions and masks, which
is where a phase's blocked layout pays: 256→128 at 28² 5.48 and 5.76, 512→256 at 14² 6.03 and 6.68, 128→64 at 56² 5.79
and 5.79, depthwise 5×5 240 at 28² 1.45 and 1.86, depthwise 3×3 96 at 112² 6.17 and 6.35. Alone: 7×7 stem to 3 channels
12.0 and 4.0, 3×3 stem 1.33 and 0.47, 2×2 s2 1.42 and 1.26, 4×4 s4 1.73 and 0.50, 7×7 s4 3.2 and 0.93, 32 groups 1.27
and 1.11, 1×1 s2 with zeros interleaved 0.31 and 0.20, 3-D 1.47 and 1.45, 1-D 0.29 and 0.29.
The 1×1 s2 branches make no difference to a whole ResNet-50 (168 ms with zeros interleaved, 169 with ConvTranspose). A
single sub-pixel convolution with all phases as channels was never the fastest.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from fgcompile.choices import chosen
from fgcompile.lowering.axes import crop_axis, interleave, is_dynamic, pad_axes, per_axis

aten = torch.ops.aten  # its operators are untyped, hence:
# mypy: no-warn-return-any

_BLOCK = 16
"""Fewest channels for which phases beat the transposed convolution: one block of ONNX Runtime's NCHWc layout."""


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
    """Lowers ``convolution_backward``. A weight-gradient is not lowered: the operator stays, for a check to name."""
    if output_mask[1]:
        return NotImplemented
    rank = input.dim() - 2
    stride, padding, dilation = (per_axis(value, rank) for value in (stride, padding, dilation))
    grad_input = None
    if output_mask[0]:
        form, reason, differentiate = _choose(input, weight, stride, dilation, transposed, groups)
        with chosen("convolution, backward", form, reason):
            grad_input = differentiate(grad_output, input, weight, stride, padding, dilation, groups)
    grad_bias = None
    if output_mask[2]:
        grad_bias = aten.sum.dim_IntList(grad_output, [0, *range(2, grad_output.dim())])
    return grad_input, None, grad_bias


def _choose(
    input: Tensor, weight: Tensor, stride: Sequence[int], dilation: Sequence[int], transposed: bool, groups: int
) -> tuple[str, str, Callable[..., Tensor]]:
    """The form of an input-gradient, why it is the one, and the function that builds it."""
    if transposed:
        return "convolution with the same weight", "the layer is a transposed convolution", _differentiate_transposed
    if all(step == 1 for step in stride):
        return "convolution with the flipped, transposed weight", "stride 1", _differentiate_dense
    obstacle = _obstacle_to_phases(input, weight, stride, dilation, groups)
    if obstacle is None:
        reason = f"stride 2 and at least {_BLOCK} channels: each phase stays in the blocked layout"
        return "one convolution per phase, interleaved", reason, _differentiate_phases
    return "transposed convolution", obstacle, _differentiate_strided


def convolve(
    x: Tensor,
    weight: Tensor,
    groups: int,
    *,
    stride: Sequence[int] | None = None,
    padding: Sequence[int] | None = None,
    dilation: Sequence[int] | None = None,
    output_padding: Sequence[int] | None = None,
    transposed: bool = False,
) -> Tensor:
    rank = x.dim() - 2
    ones, zeros = [1] * rank, [0] * rank
    return aten.convolution.default(
        x,
        weight,
        None,
        list(stride or ones),
        list(padding or zeros),
        list(dilation or ones),
        transposed,
        list(output_padding or zeros),
        groups,
    )


def _transpose_weight(weight: Tensor, groups: int) -> Tensor:
    """Swaps input and output channels within each group: ``(g·O, I, *K)`` to ``(g·I, O, *K)``."""
    outputs, inputs, *kernel = weight.shape
    if groups == 1:
        return aten.transpose.int(weight, 0, 1)
    grouped = weight.reshape([groups, outputs // groups, inputs, *kernel])
    return aten.transpose.int(grouped, 1, 2).reshape([groups * inputs, outputs // groups, *kernel])


def _flip_kernel(weight: Tensor) -> Tensor:
    axes = [axis for axis in range(2, weight.dim()) if weight.shape[axis] > 1]
    return aten.flip.default(weight, axes) if axes else weight


def _convolve_padded(
    x: Tensor, weight: Tensor, before: Sequence[int], after: Sequence[int], dilation: Sequence[int] | None, groups: int
) -> Tensor:
    """A stride-1 convolution whose padding may differ at the two ends of an axis, or be negative."""
    padding = [low if low == high and low >= 0 else 0 for low, high in zip(before, after, strict=True)]
    x = pad_axes(
        x,
        [low - shared for low, shared in zip(before, padding, strict=True)],
        [high - shared for high, shared in zip(after, padding, strict=True)],
    )
    return convolve(x, weight, groups, padding=padding, dilation=dilation)


def _differentiate_dense(
    g: Tensor,
    input: Tensor,
    weight: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """Stride 1: ``∂x = g ⋆ flip(w)ᵀ`` with padding ``d(k − 1) − p``."""
    pads = [d * (k - 1) - p for d, k, p in zip(dilation, weight.shape[2:], padding, strict=True)]
    return _convolve_padded(g, _flip_kernel(_transpose_weight(weight, groups)), pads, pads, dilation, groups)


def _obstacle_to_phases(
    input: Tensor, weight: Tensor, stride: Sequence[int], dilation: Sequence[int], groups: int
) -> str | None:
    """Why phases would be slower, or cannot be built (see the measurements above); None where they are the choice."""
    channels = input.shape[1]
    if any(is_dynamic(size) for size in input.shape[2:]):
        return "dynamic sizes: phases need to know them"
    if len(stride) != 2 or max(stride) != 2 or max(dilation) != 1:
        return (
            f"stride {tuple(stride)}, dilation {tuple(dilation)}: phases pay in two dimensions at stride 2, undilated"
        )
    if not all(k > s or s == 1 for k, s in zip(weight.shape[2:], stride, strict=True)):
        return (
            f"kernel {tuple(weight.shape[2:])}, stride {tuple(stride)}: windows do not overlap, phases are single taps"
        )
    if channels < _BLOCK:
        return f"{channels} channels: phases pay from {_BLOCK} on"
    if groups not in (1, channels):
        return f"{groups} groups: phases pay for dense and depthwise convolutions"
    return None


def _differentiate_phases(
    g: Tensor,
    input: Tensor,
    weight: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """Undilated: ``∂x[s·m + r] = Σ_j w[k₀ + s·j] g[m + q − j]`` for each phase ``r``, interleaved and cropped."""
    sizes, kernel = input.shape[2:], weight.shape[2:]
    transposed = _transpose_weight(weight, groups)
    parts = []
    for phase in itertools.product(*map(range, stride)):
        taps, before, after = transposed, [], []
        for axis, (r, size, k, s, p) in enumerate(zip(phase, sizes, kernel, stride, padding, strict=True), start=2):
            first = (r + p) % s
            count = -(-(k - first) // s)
            reach = (r + p - first) // s
            taps = aten.slice.Tensor(taps, axis, first, k, s)
            before.append(count - 1 - reach)
            after.append(-(-size // s) + reach - g.shape[axis])
        parts.append(_convolve_padded(g, _flip_kernel(taps), before, after, None, groups))
    for axis in reversed(range(2, input.dim())):
        step = stride[axis - 2]
        parts = [interleave(parts[i : i + step], axis) for i in range(0, len(parts), step)]
    return crop(parts[0], input)


def _differentiate_strided(
    g: Tensor,
    input: Tensor,
    weight: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """The transposed convolution, its output padding chosen so that the input's size comes back.

    A symbolic size takes the largest output padding, ``s − 1``, and is cropped.
    """
    output_padding = [
        s - 1 if is_dynamic(size) else size - ((out - 1) * s - 2 * p + d * (k - 1) + 1)
        for size, out, k, s, p, d in zip(
            input.shape[2:], g.shape[2:], weight.shape[2:], stride, padding, dilation, strict=True
        )
    ]
    grad_input = convolve(
        g,
        weight,
        groups,
        stride=stride,
        padding=padding,
        dilation=dilation,
        output_padding=output_padding,
        transposed=True,
    )
    return crop(grad_input, input)


def _differentiate_transposed(
    g: Tensor,
    input: Tensor,
    weight: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """Of a transposed convolution: the convolution with the same weight, less what its output padding adds."""
    return crop(convolve(g, weight, groups, stride=stride, padding=padding, dilation=dilation), input)


def crop(grad_input: Tensor, input: Tensor) -> Tensor:
    """Keeps what lies over the input."""
    for axis in range(2, input.dim()):
        grad_input = crop_axis(grad_input, axis, input.shape[axis])
    return grad_input


DECOMPOSITIONS: dict[torch._ops.OpOverload, Callable[..., Any]] = {
    aten.convolution_backward.default: lower_convolution_backward,
}
