"""What an artifact is held to, by ``compile`` before it is handed out and by ``verify`` on inputs of one's own.

Its outputs are compared with the eager model's in float64. The gradient jumps where rounding flips a ReLU or a
pooling's choice, in eager float32 as well, so a limit is a multiple of what rounding does to the model: of eager
float32, then of eager models whose weights and inputs are off by a few rounding errors, drawn until the limit is
reached or all are drawn. Maps and gradients are compared by medians over the samples, which one flip does not move.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fgcompile.artifact.names import is_predicted
from fgcompile.compiler.checking.differences import Values, median_difference, relative_difference
from fgcompile.compiler.ir.rounding import UNITS
from fgcompile.compiler.request import Precision

FLOOR = 1e-4
"""Differences below this, relative to the largest magnitude, are always accepted.

A runtime that adds up 60,000 numbers one after the other loses more digits than PyTorch, which adds by halves.
"""

HALF_FLOOR = 8.0
"""The same in half precision, in units of rounding."""

OTHERS = 10.0
"""How much more of it is accepted of the model's other outputs: a sigmoid of logits shows what these lose."""

FACTOR = 3.0
"""How much further from float64 an artifact may be than what rounding does to the eager model."""

DRAWS = 7
"""How many eager models are drawn at most: each has a choice on the border with a chance of about one half."""


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
    """The result of comparing an artifact with the eager model.

    It is true where every check passed, so that ``assert verify(…)`` asserts that; printed it is a table.
    """

    checks: tuple[Check, ...]

    def __bool__(self) -> bool:
        """As ``passed``."""
        return self.passed

    def __str__(self) -> str:
        width = max((len(check.name) for check in self.checks), default=0)
        lines = [
            f"{c.name:<{width}}  {c.measured:.2e}, limit {c.limit:.2e}: {'passed' if c.passed else 'FAILED'}"
            for c in self.checks
        ]
        failed = sum(not check.passed for check in self.checks)
        verdict = f"FAILED: {failed} of {len(self.checks)} checks" if failed else "PASSED"
        return "\n".join((*lines, verdict))

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


Outputs = Mapping[str, Values]
Draws = Callable[[int], Outputs]
"""The outputs of the eager model, in float32, with the rounding errors of a draw (``ir.rounding``)."""


@dataclass(frozen=True)
class Comparison:
    """An artifact's outputs beside those of the eager model.

    Attributes:
        artifact: The artifact's outputs by name.
        exact: The eager model's outputs in float64, contributions among them.
        draws: The eager model's outputs with other rounding errors.
        precision: The artifact's.
        axes: The axes of the outputs' samples, where these are not in front.
        questions: Whether what explains has an axis of several targets behind that of the samples.
    """

    artifact: Outputs
    exact: Outputs
    draws: Draws
    precision: Precision = "float32"
    axes: Mapping[str, int] = field(default_factory=dict)
    questions: bool = False

    def limit(self, measured: float, difference: Callable[[Outputs, Outputs], float], factor: float = 1.0) -> float:
        """So many floors, or a multiple of what rounding does to the model; no more are drawn than are needed."""
        limit = self.floor * factor
        for number in range(DRAWS if math.isfinite(measured) else 0):
            if measured <= limit:
                break
            rounding = difference(self.draws(number), self.exact)
            # Where float32 overflows in eager PyTorch, nothing follows for an artifact in which it does not.
            limit = max(limit, FACTOR * rounding if math.isfinite(rounding) else 0.0)
        return limit

    @property
    def floor(self) -> float:
        """What is always accepted; of completeness too, relative to ``Σ |terms|``."""
        return FLOOR if self.precision == "float32" else HALF_FLOOR * UNITS[self.precision]


def compare(comparison: Comparison) -> Report:
    """Measures every output that the artifact returns."""
    comparison = _samples_in_front(comparison)
    artifact, exact = comparison.artifact, comparison.exact
    checks = []
    if "logits" in artifact:
        if np.shape(artifact["logits"]) != np.shape(exact["logits"]):
            shapes = f"{np.shape(artifact['logits'])} in the artifact, {np.shape(exact['logits'])} in the model"
            return Report((Check(f"another model: logits are {shapes}", float("inf"), 0.0),))
        checks += _compare_logits(comparison)
    checks += [_compare_maps(comparison, label, names) for label, names in _groups(artifact).items()]
    if "residual" in artifact:
        magnitude = np.abs(np.asarray(exact["contributions"])).sum(1)
        relative = np.abs(np.asarray(artifact["residual"])) / np.maximum(magnitude, np.finfo(np.float64).tiny)
        checks.append(Check("completeness, relative to the terms", float(relative.max()), comparison.floor))
    return Report(tuple(checks))


def _samples_in_front(comparison: Comparison) -> Comparison:
    """The same with the samples in front, and each target of a sample as a sample of its own."""
    axes, questions = comparison.axes, comparison.questions
    if not axes and not questions:
        return comparison

    def turned(outputs: Outputs) -> Outputs:
        return {name: one_each(name, np.asarray(value)) for name, value in outputs.items()}

    def one_each(name: str, value: NDArray[Any]) -> NDArray[Any]:
        axis = axes.get(name, 0)
        if not questions or is_predicted(name):
            return np.moveaxis(value, axis, 0)
        both = np.moveaxis(value, (axis, axis + 1), (0, 1))
        return both.reshape(-1, *both.shape[2:])

    artifact, exact = turned(comparison.artifact), turned(comparison.exact)
    return Comparison(artifact, exact, lambda number: turned(comparison.draws(number)), comparison.precision)


def _compare_logits(comparison: Comparison) -> list[Check]:
    artifact, exact = np.asarray(comparison.artifact["logits"]), np.asarray(comparison.exact["logits"])
    measured = relative_difference(artifact, exact)
    limit = comparison.limit(measured, lambda one, other: relative_difference(one["logits"], other["logits"]))
    checks = [Check("logits, relative", measured, limit)]
    if exact.ndim == 2:
        # Of two classes that are equal but for rounding, either may be the first.
        chosen = np.take_along_axis(exact, artifact.argmax(1)[:, None], 1)[:, 0]
        changed = exact.max(1) - chosen > limit * np.abs(exact).max()
        checks.append(Check("predictions changed", float(np.mean(changed)), 0.0))
    return checks


def _compare_maps(comparison: Comparison, label: str, names: Sequence[str]) -> Check:
    def difference(one: Outputs, other: Outputs) -> float:
        return median_difference(one, other, names)

    measured = difference(comparison.artifact, comparison.exact)
    factor = OTHERS if all(map(is_predicted, names)) else 1.0
    return Check(label, measured, comparison.limit(measured, difference, factor))


def _groups(artifact: Outputs) -> dict[str, list[str]]:
    """The outputs of each check: the gradients of all sites are one, since some are zero but for rounding."""
    groups: dict[str, list[str]] = {}
    for name in artifact:
        if name.startswith("bias_gradients."):
            groups.setdefault("bias_gradients, relative to float64", []).append(name)
        elif name not in ("logits", "residual"):
            groups[f"{name}, relative to {'the float64 map' if name.startswith('saliency') else 'float64'}"] = [name]
    return groups
