"""What the colours of a map stand for: its values from the least to the greatest, or by magnitude about 0."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fgcompile.artifact.metadata import Metadata

_PERCENTILE = 99.5
"""Of the values, which becomes 1, so that one hot pixel dims nothing else."""


@dataclass(frozen=True)
class Scale:
    """The values that become 0 and 1; with a sign, −1 and 1, and 0 stays 0.

    Attributes:
        low: Of a signed one ``−high``.
        high: Larger values have its colour.
        signed: Whether the sign says something.
    """

    low: float
    high: float
    signed: bool

    def strength(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """``(v − low) / (high − low)`` in [0, 1]; of a signed one ``v / high`` in [−1, 1]. NaN is ``low``, or 0."""
        values = np.asarray(values, dtype=np.float64)
        if self.high <= self.low:
            return np.zeros_like(values)
        if self.signed:
            values = np.nan_to_num(values, posinf=self.high, neginf=self.low)
            return np.asarray(np.clip(values / self.high, -1, 1))
        values = np.nan_to_num(values, nan=self.low, posinf=self.high, neginf=self.low)
        return np.asarray(np.clip((values - self.low) / (self.high - self.low), 0, 1))


def scale_of(maps: NDArray[Any], signed: bool = False) -> Scale:
    """From the minimum to the 99.5th percentile; with a sign, that percentile of the magnitudes on both sides of 0.

    Args:
        maps: A map, or several that are to be on one scale. What is not finite is left out.
        signed: Whether their sign says something.
    """
    values = _finite(maps)
    if signed:
        size = np.abs(values)
        most = float(np.percentile(size, _PERCENTILE)) or float(size.max())
        return Scale(-most, most, True)
    low = float(values.min())
    high = float(np.percentile(values, _PERCENTILE))
    if high <= low:  # a map with fewer than 0.5 % of its pixels alight, or a constant one
        high = float(values.max())
    return Scale(low, high, False)


def scale_of_bars(maps: NDArray[Any], signed: bool = False) -> Scale:
    """From 0 to the largest magnitude: a bar's length is its value."""
    most = float(np.abs(_finite(maps)).max())
    return Scale(-most if signed else 0.0, most, signed)


def _finite(maps: NDArray[Any]) -> NDArray[np.float64]:
    """The finite ones among the maps' values, or 0."""
    values = np.asarray(maps, dtype=np.float64)
    finite = values if np.isfinite(values).all() else values[np.isfinite(values)]
    return finite if finite.size else np.zeros(1)


def number_of(value: float) -> str:
    """A number of a scale as people read it."""
    text = f"{value:.{2 if abs(value) < 1 else 3}g}"
    text = f"{float(text):.0f}" if "e+" in text and abs(value) < 1e6 else text
    return text.replace("-", "−").replace("e+0", "e").replace("e−0", "e−")


def is_signed(metadata: Metadata) -> bool:
    """Whether an artifact's maps have a sign."""
    return metadata["psi"] == "signed"
