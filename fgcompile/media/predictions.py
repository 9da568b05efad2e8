"""Class scores in words: the best classes of one sample, by name where the artifact has names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ClassScore:
    """One class of one sample.

    Attributes:
        index: The class.
        name: Its label, or ``"class 7"`` where the artifact has no labels.
        score: Its logit.
    """

    index: int
    name: str
    score: float


def class_score(logits: NDArray[Any], index: int, labels: Sequence[str] | None) -> ClassScore:
    """One class of a sample's logits, shape ``(K,)``."""
    name = labels[index] if labels is not None else f"class {index}"
    return ClassScore(index, name, float(logits[index]))


def top_classes(logits: NDArray[Any], labels: Sequence[str] | None, count: int = 3) -> tuple[ClassScore, ...]:
    """The ``count`` best classes of a sample's logits, shape ``(K,)``, best first; of equals the lower index first."""
    order = np.argsort(-logits, kind="stable")[:count]
    return tuple(class_score(logits, int(index), labels) for index in order)
