"""Operators of ONNX Runtime's own domain that its optimiser makes of several: convolutions, products, GELUs, norms."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from fgcompile.compiler.capture.onnx.operators.convolution import conv
from fgcompile.compiler.capture.onnx.operators.linear import gemm
from fgcompile.compiler.capture.onnx.operators.normalization import layer_normalization, rms_normalization
from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.compiler.capture.onnx.operators.recurrent_activations import FUNCTIONS
from fgcompile.errors import UnsupportedOpError


def activated(x: Tensor, name: str, numbers: Sequence[float]) -> Tensor:
    """An activation by name, with the numbers that it takes in order."""
    if not name:
        return x
    if name == "Clip":
        return torch.clamp(x, *numbers)
    if name.lower() not in FUNCTIONS:
        raise UnsupportedOpError(f"there is no activation '{name}'")
    compute, alphas, betas = FUNCTIONS[name.lower()]
    return compute(x, *numbers[: alphas + betas])


def fused_conv(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    z: Tensor | None = None,
    *,
    activation: str = "",
    activation_params: Sequence[float] | None = None,
    auto_pad: str = "NOTSET",
    dilations: Sequence[int] | None = None,
    group: int = 1,
    kernel_shape: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> Tensor:
    """``activation(conv(x) + z)``."""
    y = conv(x, weight, bias, auto_pad=auto_pad, dilations=dilations, group=group, pads=pads, strides=strides)
    return activated(y if z is None else y + z, activation, activation_params or ())


def fused_gemm(
    a: Tensor,
    b: Tensor,
    c: Tensor | None = None,
    *,
    activation: str = "",
    activation_alpha: float | None = None,
    activation_beta: float | None = None,
    activation_gamma: float | None = None,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> Tensor:
    """``activation(α A B + β C)``."""
    y = gemm(a, b, c, alpha=alpha, beta=beta, transA=transA, transB=transB)
    return activated(y, activation, [each for each in (activation_alpha, activation_beta) if each is not None])


def fused_matmul(
    a: Tensor,
    b: Tensor,
    *,
    alpha: float = 1.0,
    transA: int = 0,
    transB: int = 0,
    transBatchA: int = 0,
    transBatchB: int = 0,
) -> Tensor:
    """``α A B``; with ``transBatch`` the first axis is the matrix's, and those before the last two are behind it."""
    left, right = _turned(a, transA, transBatchA), _turned(b, transB, transBatchB)
    y = left @ right
    return y if alpha == 1 else alpha * y


def _turned(x: Tensor, transposed: int, batch: int) -> Tensor:
    if batch:
        # (d0, …, dn, dm, k) is d0 of the matrix, and (d1, …, dn, dm) the batch.
        x = x.movedim(0, -2)
    return x.transpose(-1, -2) if transposed and x.ndim > 1 else x


def fast_gelu(x: Tensor, bias: Tensor | None = None) -> Tensor:
    return functional.gelu(x if bias is None else x + bias, approximate="tanh")


def bias_softmax(x: Tensor, bias: Tensor, *, axis: int = 1, is_inner_broadcast: int) -> Tensor:
    """Softmax of ``x + bias`` over an axis and those behind it."""
    axis = axis % x.ndim
    # Repeated within, (a, 1, s) and (a, h, s); repeated around, (b, s) and (a, b, s): both as NumPy has it.
    return torch.softmax((x + bias).flatten(axis), -1).reshape(x.shape)


def quick_gelu(x: Tensor, *, alpha: float = 1.702) -> Tensor:
    """``x σ(α x)``."""
    return x * torch.sigmoid(alpha * x)


def skip_layer_normalization(
    x: Tensor,
    skip: Tensor,
    gamma: Tensor,
    beta: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    epsilon: float = 1e-12,
) -> tuple[Tensor | None, ...]:
    """LayerNorm of ``x + skip + bias``, and that sum as the fourth output."""
    whole = _summed(x, skip, bias)
    y = layer_normalization(whole, gamma, beta, epsilon=epsilon, outputs=3)
    return *y, whole


def skip_simplified_layer_normalization(
    x: Tensor, skip: Tensor, gamma: Tensor, bias: Tensor | None = None, *, epsilon: float = 1e-12
) -> tuple[Tensor | None, ...]:
    whole = _summed(x, skip, bias)
    return rms_normalization(whole, gamma, epsilon=epsilon), None, None, whole


def _summed(x: Tensor, skip: Tensor, bias: Tensor | None) -> Tensor:
    return x + skip if bias is None else x + bias + skip


def simplified_layer_normalization(
    x: Tensor, scale: Tensor, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1
) -> tuple[Tensor, Tensor]:
    """RMSNorm, and ``1 / √(mean(x²) + ε)``."""
    axes = tuple(range(axis % x.ndim, x.ndim))
    inverse = torch.rsqrt((x * x).mean(axes, keepdim=True) + epsilon)
    return rms_normalization(x, scale, axis=axis, epsilon=epsilon), inverse


def embed_layer_normalization(
    input_ids: Tensor,
    segment_ids: Tensor | None,
    word_embedding: Tensor,
    position_embedding: Tensor,
    segment_embedding: Tensor | None,
    gamma: Tensor,
    beta: Tensor,
    mask: Tensor | None = None,
    position_ids: Tensor | None = None,
    *,
    epsilon: float = 1e-12,
    mask_index_type: int = 0,
) -> tuple[Tensor, Tensor, Tensor]:
    """LayerNorm of the sum of embeddings of words, positions and segments; lengths of samples; that sum."""
    length = input_ids.shape[1]
    positions = position_embedding[:length] if position_ids is None else position_embedding[position_ids]
    whole = functional.embedding(input_ids, word_embedding) + positions
    if segment_ids is not None and segment_embedding is not None:
        whole = whole + functional.embedding(segment_ids, segment_embedding)
    zeros = input_ids.new_zeros(input_ids.shape[:1], dtype=torch.int32)
    lengths = zeros if mask is None else mask.sum(1, dtype=torch.int32)
    y = functional.layer_norm(whole, gamma.shape, gamma, beta, epsilon)
    return y, lengths, whole


FUSED: dict[str, Operator] = {
    "BiasSoftmax": Operator(bias_softmax),
    "BiasGelu": Operator(lambda a, b: functional.gelu(a + b)),
    "EmbedLayerNormalization": Operator(embed_layer_normalization),
    "FastGelu": Operator(fast_gelu),
    "FusedConv": Operator(fused_conv),
    "FusedGemm": Operator(fused_gemm),
    "FusedMatMul": Operator(fused_matmul),
    "Gelu": Operator(lambda x: functional.gelu(x)),
    "QuickGelu": Operator(quick_gelu),
    "SkipLayerNormalization": Operator(skip_layer_normalization),
    "SkipSimplifiedLayerNormalization": Operator(skip_simplified_layer_normalization),
    "TransposeMatMul": Operator(fused_matmul),
}
"""Rows of ONNX Runtime's domain, ``com.microsoft``."""

SIMPLIFIED: dict[str, Operator] = {"SimplifiedLayerNormalization": Operator(simplified_layer_normalization)}
"""What its optimiser writes into ONNX's own domain."""
