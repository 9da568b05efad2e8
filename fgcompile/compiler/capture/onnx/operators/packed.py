"""Products with weights of few bits, packed into bytes block by block: they are unpacked when a graph is built."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.errors import UnsupportedOpError


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
    """``A Wᵀ``, ``W (N, K) = (q − z) s`` with a scale and a zero point for each block of a row."""
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
    return functional.linear(a, weight, bias)


def _unpacked(packed: Tensor, bits: int) -> Tensor:
    """Whole numbers of a few bits, the first of a byte in its lowest bits, along the last axis."""
    each = [(packed >> shift) & (2**bits - 1) for shift in range(0, 8, bits)]
    return torch.stack(each, -1).flatten(-2)


PACKED: dict[str, Operator] = {"MatMulNBits": Operator(matmul_of_bits, note="of 2, 4 or 8 bits")}
"""Rows of ONNX Runtime's domain, ``com.microsoft``."""
