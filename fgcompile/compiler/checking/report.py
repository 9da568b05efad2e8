"""What `verify` measures: an artifact's outputs against the eager model's, as checks with limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fgcompile.compiler.checking.differences import median_difference, relative_difference

LOGITS_LIMIT = 1e-4
"""Largest difference of the logits, relative to the largest logit."""

RESIDUAL_LIMIT = 1e-4
"""Largest ``|f − Σ terms|`` in the artifact's own precision, relative to ``Σ |terms|``."""

MAP_FACTOR = 3.0
"""How much further from the float64 map an artifact may be than eager PyTorch in the same precision is."""

MAP_FLOOR = 1e-5
"""Differences of the map below this, relative to its maximum, are always accepted."""


@dataclass(frozen=True)
class Check:
    """One measured quantity and its limit.

    Attributes:
        name: What was measured.
        measured: The measured value.
        limit: The largest value that passes.
    """

    name: str
    measured: float
    limit: float

    @property
    def passed(self) -> bool:
        """Whether the measured value is within the limit; never for NaN."""
        return self.measured <= self.limit


@dataclass(frozen=True)
class Report:
    """The result of comparing an artifact with the eager model."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    def as_dict(self) -> dict[str, Any]:
        """The report as JSON-serialisable values."""
        return {
            "passed": self.passed,
            "checks": [
                {"name": c.name, "measured": c.measured, "limit": c.limit, "passed": c.passed} for c in self.checks
            ],
        }


Arrays = Mapping[str, NDArray[Any]]


def compare(artifact: Arrays, exact: Arrays, eager: Arrays) -> Report:
    """Compares an artifact's outputs with the model's.

    Args:
        artifact: The artifact's outputs by name.
        exact: The eager model's outputs in float64.
        eager: The eager model's outputs in the artifact's precision.
    """
    checks = []
    if "logits" in artifact and artifact["logits"].shape != exact["logits"].shape:
        shapes = f"{artifact['logits'].shape} in the artifact, {exact['logits'].shape} in the model"
        return Report((Check(f"another model: logits are {shapes}", float("inf"), 0.0),))
    if "logits" in artifact:
        checks.append(Check("logits, relative", relative_difference(artifact["logits"], exact["logits"]), LOGITS_LIMIT))
        if artifact["logits"].ndim == 2:
            changed = np.mean(artifact["logits"].argmax(1) != eager["logits"].argmax(1))
            checks.append(Check("predictions changed", float(changed), 0.0))
    if "saliency" in artifact:
        # The gradient jumps where rounding flips a ReLU or a pooling's choice, in eager float32 as well: so the limit
        # is a multiple of what that does, by medians over the inputs, which one flip does not move.
        limit = max(MAP_FACTOR * median_difference(eager["saliency"], exact["saliency"]), MAP_FLOOR)
        measured = median_difference(artifact["saliency"], exact["saliency"])
        checks.append(Check("saliency, relative to the float64 map", measured, limit))
    if "residual" in artifact:
        magnitude = np.abs(exact["contributions"]).sum(1)
        relative = np.abs(artifact["residual"]) / np.maximum(magnitude, np.finfo(np.float64).tiny)
        checks.append(Check("completeness, relative to the terms", float(relative.max()), RESIDUAL_LIMIT))
    return Report(tuple(checks))
