"""Convolutions in one to three dimensions."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.compiler.capture.onnx.operators.padding import by_axis, window_pads

_CONVOLUTIONS = (functional.conv1d, functional.conv2d, functional.conv3d)
_TRANSPOSED = (functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d)


def conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Sequence[int] | None = None,
    group: int = 1,
    kernel_shape: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> Tensor:
    """``x (N, C, …)`` with ``weight (M, C / group, …)``; pads are those at all beginnings, then at all ends."""
    axes = x.ndim - 2
    stride, dilation = list(strides or [1] * axes), list(dilations or [1] * axes)
    before, after = window_pads(x.shape[2:], list(weight.shape[2:]), stride, dilation, auto_pad, pads)
    if before != after:
        x = functional.pad(x, by_axis(before, after))
        before = [0] * axes
    return _CONVOLUTIONS[axes - 1](x, weight, bias, stride, before, dilation, group)


def conv_transpose(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    auto_pad: str = "NOTSET",
    dilations: Sequence[int] | None = None,
    group: int = 1,
    kernel_shape: Sequence[int] | None = None,
    output_padding: Sequence[int] | None = None,
    output_shape: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> Tensor:
    """``x (N, C, …)`` with ``weight (C, M / group, …)``; sizes ``s (n − 1) + (k − 1) d + 1 + output_padding − pads``.

    PyTorch cuts as much from both ends: what one end has more is cut from the outputs.
    """
    axes = x.ndim - 2
    stride, dilation = list(strides or [1] * axes), list(dilations or [1] * axes)
    extra, both_ends = list(output_padding or [0] * axes), list(pads or [0] * (2 * axes))
    cuts = list(zip(both_ends[:axes], both_ends[axes:], strict=True))
    if output_shape or auto_pad.startswith("SAME"):
        wanted = list(output_shape or [s * size for s, size in zip(stride, x.shape[2:], strict=True)])[-axes:]
        steps = zip(x.shape[2:], weight.shape[2:], stride, dilation, extra, strict=True)
        full = [s * (size - 1) + (k - 1) * d + 1 + more for size, k, s, d, more in steps]
        missing = [max(want - had, 0) for want, had in zip(wanted, full, strict=True)]
        totals = [max(had - want, 0) for want, had in zip(wanted, full, strict=True)]
        extra = [more + lack for more, lack in zip(extra, missing, strict=True)]
        # Where it is odd the end has the more with SAME_UPPER, else the beginning.
        cuts = [(t // 2, t - t // 2) if auto_pad == "SAME_UPPER" else (t - t // 2, t // 2) for t in totals]
    both = [min(cut) for cut in cuts]
    y = _TRANSPOSED[axes - 1](x, weight, bias, stride, both, extra, group, dilation)
    for axis, (before, after) in enumerate(cuts, 2):
        if before != after:
            first, last = before - min(before, after), after - min(before, after)
            y = y.narrow(axis, first, y.shape[axis] - first - last)
    return y


CONVOLUTION: dict[str, Operator] = {"Conv": Operator(conv), "ConvTranspose": Operator(conv_transpose)}
