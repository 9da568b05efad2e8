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


def einsum(*tensors: Tensor, equation: str) -> Tensor:
    return torch.einsum(equation, *tensors)


LINEAR: dict[str, Operator] = {
    "Det": unary(torch.linalg.det),
    "Einsum": Operator(einsum),
    "Gemm": Operator(gemm),
    "MatMul": binary(torch.matmul),
}
