"""How a signed map is drawn: what adds to the score and what takes from it in two hues, nothing at 0."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

MORE = (255, 140, 40)
LESS = (90, 160, 255)
"""Orange and blue, which those who see no red or green tell apart too."""

LEGEND = "orange adds, blue takes"

_PERCENTILE = 99.5


def is_signed(metadata: Mapping[str, Any]) -> bool:
    """Whether an artifact's maps have a sign."""
    return bool(metadata["psi"] == "signed")


def normalise_signed(saliency: NDArray[Any]) -> NDArray[np.float64]:
    """Scales a map to [−1, 1] by the 99.5th percentile of its magnitude, so that 0 stays 0."""
    values = np.nan_to_num(np.asarray(saliency, dtype=np.float64))
    size = np.abs(values)
    most = float(np.percentile(size, _PERCENTILE)) or float(size.max()) or 1.0
    return np.clip(values / most, -1, 1)


def colour_signed(strength: NDArray[np.float64]) -> NDArray[np.float64]:
    """Colours a map in [−1, 1], shape ``(H, W)``, as RGB in [0, 255], shape ``(H, W, 3)``: black at 0."""
    return np.asarray(np.abs(strength)[..., None] * _hue(strength))


def blend_signed(grey: NDArray[np.float64], strength: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lays a map in [−1, 1] over brightness ``(H, W, 1)``: its sign is the hue, its magnitude the opacity."""
    opacity = np.abs(strength)[..., None]
    return np.asarray((1 - opacity) * 0.6 * grey + opacity * (0.8 * _hue(strength) + 0.2 * grey))


def _hue(strength: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where((strength > 0)[..., None], np.array(MORE, np.float64), np.array(LESS, np.float64))
