"""How far two outputs differ."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


def difference(value: NDArray[Any], reference: NDArray[Any]) -> float:
    if value.shape != reference.shape or not np.isfinite(value).all():
        return float("nan")
    scale = float(np.abs(reference).max())
    return float(np.abs(value - reference).max()) / (scale or 1.0)


def median_difference(value: NDArray[Any], reference: NDArray[Any]) -> float:
    """The median over samples: a choice that rounding flips changes one map, not all."""
    return float(np.median([difference(v, r) for v, r in zip(value, reference, strict=True)]))


def mean_difference(value: Tensor, reference: Tensor) -> float:
    """``mean |value − reference| / max |reference|``."""
    scale = max(reference.abs().max().item(), 1e-12)
    return (value.double() - reference).abs().mean().item() / scale


def relative_difference(value: Tensor, reference: Tensor) -> float:
    """``max |value − reference| / max |reference|``; 0 where both are zero."""
    if value.shape != reference.shape:
        return float("inf")
    difference = (value - reference).abs().max().item() if value.numel() else 0.0
    scale = reference.abs().max().item() if reference.numel() else 0.0
    return difference / scale if scale > 0 else difference
