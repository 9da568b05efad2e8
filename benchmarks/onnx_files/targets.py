"""Scores of files whose output has its samples on another axis than the first, as recognisers of text do."""

from __future__ import annotations

from torch import Tensor


def likeliest(output: Tensor) -> Tensor:
    """``Σ_l max_k z[l, n, k]`` of ``(L, N, K)``: the likeliest letter of each step, ``(N,)``."""
    return output.amax(-1).sum(0)
