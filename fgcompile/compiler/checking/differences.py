"""How far two outputs differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Values = Tensor | NDArray[Any]


def relative_difference(value: Values, reference: Values) -> float:
    """``max |value − reference| / max |reference|``, in float64; where the reference is zero, not divided.

    Returns:
        Infinity where the shapes differ, or the value is not finite.
    """
    difference, magnitude = _difference(value, reference)
    return difference / (magnitude or 1.0)


def median_difference(value: Mapping[str, Values], reference: Mapping[str, Values], names: Sequence[str]) -> float:
    """The median over samples of the relative difference: a choice that rounding flips changes one map, not all.

    Several outputs, such as the gradients of all sites, are one value: what is zero but for rounding counts beside the
    largest.
    """
    if any(name not in reference or np.shape(value[name]) != np.shape(reference[name]) for name in names):
        return float("inf")
    differences = []
    for sample in range(len(reference[names[0]])):
        parts = [_difference(value[name][sample], reference[name][sample]) for name in names]
        differences.append(max(part[0] for part in parts) / (max(part[1] for part in parts) or 1.0))
    return float(np.median(differences))


PIECE = 2**18
"""Elements that are compared at once: a language model's logits would take several copies in float64."""


def _difference(value: Values, reference: Values) -> tuple[float, float]:
    """The largest difference, and the largest magnitude of the reference."""
    actual, expected = torch.as_tensor(value), torch.as_tensor(reference)
    if actual.shape != expected.shape:
        return float("inf"), 0.0
    largest = magnitude = 0.0
    pieces = (torch.split(tensor.reshape(-1), PIECE) for tensor in (actual, expected))
    for one, other in zip(*pieces, strict=True):
        found, wanted = one.double(), other.double()
        if not found.isfinite().all():
            return float("inf"), 0.0
        if not found.numel():
            continue
        apart = (found - wanted).abs().max().item()
        # Python's max would pass over a NaN of the reference.
        largest, magnitude = _larger(largest, apart), _larger(magnitude, wanted.abs().max().item())
    return largest, magnitude


def _larger(one: float, other: float) -> float:
    return other if other > one or other != other else one
