"""Convolutions in one to three dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.nn import functional

from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.compiler.capture.onnx.operators.padding import alike, by_axis, window_pads
from fgcompile.errors import UnsupportedOpError

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
    if not alike(before, after):
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
    reach = [(k - 1) * d + 1 + more for k, d, more in zip(weight.shape[2:], dilation, extra, strict=True)]
    if auto_pad.startswith("SAME"):
        cuts = [_parted(max(each - step, 0), auto_pad) for each, step in zip(reach, stride, strict=True)]
    if output_shape:
        _require_known(x.shape[2:])
        full = [step * (size - 1) + each for step, size, each in zip(stride, x.shape[2:], reach, strict=True)]
        wanted = list(output_shape)[-axes:]
        cuts = [_parted(max(had - want, 0), auto_pad) for want, had in zip(wanted, full, strict=True)]
        extra = [more + max(want - had, 0) for more, want, had in zip(extra, wanted, full, strict=True)]
    both = [min(cut) for cut in cuts]
    y = _TRANSPOSED[axes - 1](x, weight, bias, stride, both, extra, group, dilation)
    for axis, (before, after) in enumerate(cuts, 2):
        if before != after:
            first, last = before - min(before, after), after - min(before, after)
            y = y.narrow(axis, first, y.shape[axis] - first - last)
    return y


def _parted(total: int, auto_pad: str) -> tuple[int, int]:
    """What is cut from both ends: where it is odd, the end has the more with ``SAME_UPPER``, else the beginning."""
    less, more = total // 2, total - total // 2
    return (less, more) if auto_pad == "SAME_UPPER" else (more, less)


def _require_known(sizes: Sequence[Any]) -> None:
    if not all(isinstance(size, int) for size in sizes):
        raise UnsupportedOpError("it gives outputs of a fixed shape, whatever the inputs are: fix their size")


CONVOLUTION: dict[str, Operator] = {"Conv": Operator(conv), "ConvTranspose": Operator(conv_transpose)}
