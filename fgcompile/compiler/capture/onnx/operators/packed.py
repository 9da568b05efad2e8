"""Products with weights of few bits, packed into bytes block by block: they are unpacked when a graph is built."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from fgcompile.compiler.capture.onnx.levels import quantized
from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.errors import UnsupportedOpError

IN_BYTES = 4
"""The level of accuracy at which the other factor is rounded to 8 bits."""


def matmul_of_bits(
    a: Tensor,
    b: Tensor,
    scales: Tensor,
    zero_points: Tensor | None = None,
    g_idx: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    K: int,
    N: int,
    bits: int = 4,
    block_size: int,
    accuracy_level: int = 0,
    weight_prepacked: int = 0,
) -> Tensor:
    """``A Wᵀ``, ``W (N, K) = (q − z) s`` with a scale and a zero point for each block of a row.

    At the fourth level of accuracy ONNX Runtime rounds blocks of ``A`` to 8 bits, but beside 2 bits in blocks of 16,
    and zero points that are no whole numbers.
    """
    if g_idx is not None or weight_prepacked:
        raise UnsupportedOpError("its weight has its rows in another order, or is packed for one machine")
    blocks = -(-K // block_size)
    levels = _unpacked(b.reshape(N, blocks, -1), bits)[..., :block_size].to(scales.dtype)
    if zero_points is None:
        zeros: Tensor | float = float(2 ** (bits - 1))
    elif zero_points.dtype == torch.uint8:
        zeros = _unpacked(zero_points.reshape(N, -1), bits)[:, :blocks, None].to(scales.dtype)
    else:
        zeros = zero_points.reshape(N, blocks, 1)
    weight = ((levels - zeros) * scales.reshape(N, blocks, 1)).flatten(1)[:, :K]
    whole = zero_points is None or zero_points.dtype == torch.uint8
    if accuracy_level == IN_BYTES and whole and (bits, block_size) != (2, 16):
        a = _rounded(a, block_size)
    return functional.linear(a, weight, bias)


def _rounded(a: Tensor, size: int) -> Tensor:
    """``A`` as signed levels of 8 bits, the scale of each block ``max |a| / 127``."""
    width = a.shape[-1]
    blocks = functional.pad(a, (0, -width % size)).reshape(*a.shape[:-1], -1, size)
    largest = blocks.detach().abs().amax(-1, True)
    scale = torch.where(largest > 0, largest / 127, 1)
    found = quantized(blocks, scale, np.zeros((), np.int8))
    return (found.level * scale).flatten(-2)[..., :width]


def _unpacked(packed: Tensor, bits: int) -> Tensor:
    """Whole numbers of a few bits, the first of a byte in its lowest bits, along the last axis."""
    each = [(packed >> shift) & (2**bits - 1) for shift in range(0, 8, bits)]
    return torch.stack(each, -1).flatten(-2)


PACKED: dict[str, Operator] = {
    "MatMulNBits": Operator(matmul_of_bits, note="of 2, 4 or 8 bits; rounds its input where `accuracy_level` is 4")
}
"""Rows of ONNX Runtime's domain, ``com.microsoft``."""
