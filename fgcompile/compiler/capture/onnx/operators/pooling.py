"""Poolings."""

from __future__ import annotations

from torch import Tensor

from fgcompile.compiler.capture.onnx.operators.operator import Operator


def global_average_pool(x: Tensor) -> Tensor:
    """Means over all axes of space, which are kept."""
    return x.mean(tuple(range(2, x.ndim)), keepdim=True)


POOLING: dict[str, Operator] = {"GlobalAveragePool": Operator(global_average_pool)}
