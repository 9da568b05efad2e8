"""How far two outputs differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Values = Tensor | NDArray[Any]


def relative_difference(value: Values, reference: Values, over: Callable[[Tensor], Tensor] = torch.max) -> float:
    """``max |value − reference| / max |reference|``, in float64; where the reference is zero, not divided.

    Args:
        value: What is compared.
        reference: What it should be.
        over: In place of the first ``max``, e.g. ``torch.mean``: one flipped choice of a map is a large difference at
            one place.

    Returns:
        Infinity where the shapes differ, or the value is not finite.
    """
    actual, expected = torch.as_tensor(value).double(), torch.as_tensor(reference).double()
    if actual.shape != expected.shape or not actual.isfinite().all():
        return float("inf")
    if not actual.numel():
        return 0.0
    return over((actual - expected).abs()).item() / (expected.abs().max().item() or 1.0)


def median_difference(value: Values, reference: Values) -> float:
    """The median over samples of the relative difference: a choice that rounding flips changes one map, not all."""
    return float(np.median([relative_difference(v, r) for v, r in zip(value, reference, strict=True)]))
