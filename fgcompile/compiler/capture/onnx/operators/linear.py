"""Products of matrices, and what is made of matrices."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from fgcompile.compiler.capture.onnx.operators.elementwise import binary, unary
from fgcompile.compiler.capture.onnx.operators.operator import Operator


def gemm(
    a: Tensor,
    b: Tensor,
    c: Tensor | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> Tensor:
    """``α A B + β C``."""
    a = a.T if transA else a
    if alpha == 1 and beta == 1 and (c is None or c.ndim == 1):
        return functional.linear(a, b if transB else b.T, c)
    product = alpha * (a @ (b.T if transB else b))
    return product if c is None else product + beta * c


def matmul_integer(
    a: Tensor, b: Tensor, a_zero_point: Tensor | None = None, b_zero_point: Tensor | None = None
) -> Tensor:
    """``(A − a₀) (B − b₀)`` in 32 bits; a zero point for each row of A, and for each column of B, or one for all."""
    left, right = a.to(torch.int32), b.to(torch.int32)
    if a_zero_point is not None:
        rows = a_zero_point.to(torch.int32)
        left = left - (rows.unsqueeze(-1) if rows.ndim == 1 and rows.shape[0] > 1 else rows)
    if b_zero_point is not None:
        right = right - b_zero_point.to(torch.int32)
    return torch.matmul(left, right)


def einsum(*tensors: Tensor, equation: str) -> Tensor:
    return torch.einsum(equation, *tensors)


LINEAR: dict[str, Operator] = {
    "Det": unary(torch.linalg.det),
    "Einsum": Operator(einsum),
    "Gemm": Operator(gemm),
    "MatMul": binary(torch.matmul),
    "MatMulInteger": Operator(matmul_integer),
}
