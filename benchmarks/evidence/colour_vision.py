"""Colours as those see them who see no red, no green or no blue, and how far apart they are then.

Sight is simulated by the matrices of Machado, Oliveira and Fernandes, *A Physiologically-based Model for Simulation of
Color Vision Deficiency* (IEEE TVCG 15(6), 2009), at severity 1, on linear RGB; differences are CIELAB's ΔE*ab under
D65, of which 2.3 is just noticeable.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

Colours = NDArray[np.float64]

SIGHT: Mapping[str, Colours] = {
    "trichromat": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
"""What becomes of linear RGB."""

GREYS = (0.0, 64.0, 128.0, 192.0, 255.0)
"""Brightnesses of photos."""

_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])


def lab(rgb: NDArray[Any], sight: str) -> Colours:
    """CIELAB of sRGB in [0, 255], ``(n, 3)``, as it is seen."""
    part = np.asarray(rgb, np.float64) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    xyz = (linear @ SIGHT[sight].T).clip(0, 1) @ _XYZ.T / _WHITE
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], 1)


def least_difference(rgb: NDArray[Any], sight: str) -> float:
    """The ΔE of the two colours of ``(n, 3)`` that are the most alike."""
    seen = lab(rgb, sight)
    return min(float(np.linalg.norm(a - b)) for a, b in combinations(seen, 2))
