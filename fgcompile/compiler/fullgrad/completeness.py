"""How far the terms are from adding up to the score."""

from __future__ import annotations

import torch
from torch import Tensor


def completeness_error(score: Tensor, contributions: Tensor) -> Tensor:
    """``|f − Σ terms| / Σ |terms|`` per sample ``(N,)``, or question ``(N, T)``, 0 where every term is zero."""
    magnitude = contributions.abs().sum(-1)
    error = (score - contributions.sum(-1)).abs()
    return torch.where(magnitude > 0, error / magnitude.clamp(min=torch.finfo(magnitude.dtype).tiny), error)
