"""The oracle for gradients that knows nothing about them: central differences in float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def input_gradient_by_differences(
    f: Callable[[Tensor], Tensor], x: Tensor, indices: Sequence[tuple[int, ...]], step: float = 1e-6
) -> Tensor:
    """Estimates ``∂ Σ_n f(x)_n / ∂x`` at chosen coordinates as ``(f(x + h e) − f(x − h e)) / 2h``.

    Args:
        f: Maps ``x`` to one score per sample, (N,), in float64.
        x: The point, float64.
        indices: The coordinates, each a full index into ``x``.
        step: The step h. The error is about h² f‴/6 + 1e-16 |f|/h, away from kinks.

    Returns:
        The estimates in the order of ``indices``, float64.
    """
    if x.dtype != torch.float64:
        raise ValueError(f"finite differences need float64, not {x.dtype}")
    estimates = []
    with torch.no_grad():
        for index in indices:
            offset = torch.zeros_like(x)
            offset[index] = step
            estimates.append((f(x + offset).sum() - f(x - offset).sum()) / (2 * step))
    return torch.stack(estimates)
