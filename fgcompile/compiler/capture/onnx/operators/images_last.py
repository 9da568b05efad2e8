"""Operators that ONNX Runtime's optimiser makes for GPUs, of images with their channels last: ``(N, …, C)``."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional

from fgcompile.compiler.capture.onnx.operators.convolution import conv
from fgcompile.compiler.capture.onnx.operators.operator import Operator


def nhwc_conv(x: Tensor, w: Tensor, b: Tensor | None = None, **attributes: Any) -> Tensor:
    """A convolution; its weight has its channels last too."""
    return conv(x.movedim(-1, 1), w.movedim(-1, 1), b, **attributes).movedim(1, -1)


def group_norm(
    x: Tensor,
    gamma: Tensor,
    beta: Tensor,
    *,
    activation: int,
    channels_last: int = 1,
    epsilon: float = 1e-5,
    groups: int,
) -> Tensor:
    """GroupNorm, and a SiLU behind it where there is an activation."""
    first = x.movedim(-1, 1) if channels_last else x
    y = functional.group_norm(first, groups, gamma, beta, epsilon)
    y = functional.silu(y) if activation else y
    return y.movedim(1, -1) if channels_last else y


def skip_group_norm(
    x: Tensor, gamma: Tensor, beta: Tensor, skip: Tensor, bias: Tensor | None = None, **attributes: Any
) -> tuple[Tensor, Tensor]:
    """GroupNorm of ``x + skip + bias``, and that sum."""
    last = attributes.get("channels_last", 1)
    ones = [1] * (x.ndim - 2)
    if skip.ndim == 2:
        skip = skip.reshape(len(skip), *ones, -1) if last else skip.reshape(*skip.shape, *ones)
    whole = x + skip
    if bias is not None:
        whole = whole + (bias if last else bias.reshape(-1, *ones))
    return group_norm(whole, gamma, beta, **attributes), whole


def bias_split_gelu(x: Tensor, bias: Tensor) -> Tensor:
    """``a gelu(b)``, ``[a, b] = x + bias``."""
    left, right = (x + bias).chunk(2, -1)
    return left * functional.gelu(right)


IMAGES_LAST: dict[str, Operator] = {
    "BiasAdd": Operator(lambda x, bias, skip: x + bias + skip),
    "BiasSplitGelu": Operator(bias_split_gelu),
    "GroupNorm": Operator(group_norm),
    "NhwcConv": Operator(nhwc_conv),
    "SkipGroupNorm": Operator(skip_group_norm),
}
"""Rows of ONNX Runtime's domain, ``com.microsoft``."""
