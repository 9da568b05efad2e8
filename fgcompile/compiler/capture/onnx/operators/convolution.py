"""Convolutions in one to three dimensions."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.compiler.capture.onnx.operators.padding import window_pads

_CONVOLUTIONS = (functional.conv1d, functional.conv2d, functional.conv3d)


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
        x = functional.pad(x, [each for pair in zip(reversed(before), reversed(after), strict=True) for each in pair])
        before = [0] * axes
    return _CONVOLUTIONS[axes - 1](x, weight, bias, stride, before, dilation, group)


CONVOLUTION: dict[str, Operator] = {"Conv": Operator(conv)}
