"""Scores of class logits ``(N, K)``, and of the probabilities that a softmax or sigmoid has made of them."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import ClassVar

import torch
from torch import Tensor

from fgcompile.errors import InputError, ScoreError
from fgcompile.scores.requirements import HELD, class_index, require_class, require_rank

LEAST = 1e-7
"""What float32 can still tell from 1."""


ITSELF = "Difference of class {} and itself is 0 of every input: give two classes"


@dataclass(frozen=True)
class Difference:
    """``f = y_a − y_b`` of logits ``(N, K)``: why one class rather than another.

    Attributes:
        a: The class that is explained, by its number, or by its name among the labels.
        b: The class that it is set against.
    """

    CLASSES: ClassVar = ("a", "b")
    a: int | str
    b: int | str

    def __post_init__(self) -> None:
        require_class(self, "a", "b")
        if self.a == self.b:
            raise ScoreError(ITSELF.format(self.a))

    def count_classes(self, logits: Tensor) -> int | None:
        """How many classes the output has, for labels to be as many."""
        return number_of_classes(logits)

    def __call__(self, logits: Tensor) -> Tensor:
        require_rank(logits, 2, "(N, K)", "Difference")
        a, b = (class_index("Difference", name, getattr(self, name), logits.shape[1]) for name in self.CLASSES)
        if a % logits.shape[1] == b % logits.shape[1]:
            raise ScoreError(ITSELF.format(self.a if self.a == self.b else f"{self.a}, which is {self.b} too,"))
        return logits[:, a] - logits[:, b]


@dataclass(frozen=True)
class Contrast:
    """``f = y_c − max_{k ≠ c} y_k`` of logits ``(N, K)``: why a class rather than the next best.

    Attributes:
        index: The class, by number or name; None for the predicted one, so that ``f`` is the prediction's margin.
    """

    CLASSES: ClassVar = ("index",)
    index: int | str | None = None

    def __post_init__(self) -> None:
        require_class(self, "index", optional=True)

    def count_classes(self, logits: Tensor) -> int | None:
        """How many classes the output has, for labels to be as many."""
        return number_of_classes(logits)

    def __call__(self, logits: Tensor) -> Tensor:
        require_rank(logits, 2, "(N, K)", "Contrast")
        count = logits.shape[1]
        if count < 2:
            raise ScoreError("Contrast sets a class against the next best, and the output has one class")
        if self.index is not None:
            index = class_index("Contrast", "index", self.index, count) % count
            return logits[:, index] - torch.cat([logits[:, :index], logits[:, index + 1 :]], 1).amax(1)
        classes, values = torch.arange(count, device=logits.device), logits.detach()
        best = classes == values.argmax(1, keepdim=True)
        others = torch.where(best, torch.finfo(logits.dtype).min, values).argmax(1, keepdim=True)
        return (logits * (best.to(logits.dtype) - (classes == others).to(logits.dtype))).sum(1)


@dataclass(frozen=True)
class LogOdds:
    """``f = log p_k − log(1 − p_k)`` of probabilities ``(N, K)``: the logit that a softmax or sigmoid has hidden.

    Attributes:
        index: The class, by number or name.
        epsilon: Probabilities are held this far from 0 and 1, where their logarithm is not finite; beyond, the
            gradient is 0.
    """

    CLASSES: ClassVar = ("index",)
    index: int | str
    epsilon: float = HELD

    def __post_init__(self) -> None:
        require_class(self, "index")
        if not isinstance(self.epsilon, Real) or not LEAST <= self.epsilon < 0.5:
            raise InputError(f"LogOdds has epsilon={self.epsilon!r}: give a number from {LEAST:.0e} to below 0.5")
        object.__setattr__(self, "epsilon", float(self.epsilon))  # of NumPy's, say

    def own_inputs(self, probabilities: Tensor) -> dict[str, Tensor]:
        """None; refuses what are no probabilities, in an output for the examples."""
        require_rank(probabilities, 2, "(N, K)", "LogOdds")
        require_probabilities("LogOdds", probabilities)
        return {}

    def count_classes(self, probabilities: Tensor) -> int | None:
        """How many classes the output has, for labels to be as many."""
        return number_of_classes(probabilities)

    def __call__(self, probabilities: Tensor) -> Tensor:
        require_rank(probabilities, 2, "(N, K)", "LogOdds")
        index = class_index("LogOdds", "index", self.index, probabilities.shape[1])
        return log_odds(probabilities[:, index], self.epsilon)


def number_of_classes(output: Tensor) -> int | None:
    """K of an output ``(N, K)``; None of any other."""
    return output.shape[1] if output.ndim == 2 else None


def log_odds(probabilities: Tensor, epsilon: float = HELD) -> Tensor:
    """The logits of probabilities of any shape, which are held ``epsilon`` from 0 and 1."""
    held = probabilities.clamp(epsilon, 1 - epsilon)
    return held.log() - (1 - held).log()


def require_probabilities(name: str, values: Tensor, otherwise: str = "use a score of logits") -> None:
    """Refuses an output for the examples that has values outside of 0 to 1; ``otherwise`` says what logits have.

    Raises:
        ScoreError: It has, so it is of logits, say.
    """
    outside = values[(values < 0) | (values > 1)]
    if len(outside):
        raise ScoreError(
            f"{name} is a score of probabilities, and the model's output has {outside[0]:.4g} for the examples: "
            f"{otherwise}, or name another output, output="
        )
