"""A detector's candidates as the score ``Box`` sees them, by the logits of one sample; nothing here needs torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_HELD = 1e-6
"""How far probabilities are held from 0 and 1, as by ``fgcompile.scores.Box``."""


def value_of_box(logits: NDArray[Any], candidate: int | None = -1, **arguments: Any) -> Any:
    """The score of the candidate; NaN where a call says which it is.

    Args:
        logits: ``(A, ·)`` or ``(·, A)``.
        candidate: As ``fgcompile.scores.Box`` has it.
        arguments: Its others.

    Raises:
        ValueError: The logits are no candidates'.
        IndexError: They have no such class or candidate.
    """
    if candidate is None:
        return np.nan
    scores = _scores(logits, **arguments)
    return scores.max() if candidate == -1 else scores[candidate]


def explained_candidate(logits: NDArray[Any], candidate: int | None = -1, **arguments: Any) -> int | None:
    """The number of the candidate that ``value_of_box`` is of; None where a call says it."""
    return int(_scores(logits, **arguments).argmax()) if candidate == -1 else candidate


@dataclass(frozen=True)
class _Head:
    """How the numbers of a candidate are read; fields and defaults are those of ``fgcompile.scores.Box``."""

    index: int | None = None
    axis: int = 1
    first: int = 0
    objectness: int | None = None
    background: bool = False
    probabilities: bool = False


def _scores(logits: NDArray[Any], **arguments: Any) -> NDArray[Any]:
    """The score of the class, or of the likeliest, of each candidate, ``(A,)``."""
    head = _Head(**arguments)
    if logits.ndim != 2:
        raise ValueError(f"logits of {logits.ndim} axes are no candidates'")
    rows = logits.astype(np.float64) if head.axis == 1 else logits.astype(np.float64).T
    classes = rows[:, head.first :]
    there = np.ones((len(rows), 1)) if head.objectness is None else rows[:, [head.objectness]]
    if head.background and head.probabilities:
        scores = np.log(np.maximum(classes, _HELD))[:, :-1]
    elif head.background:
        scores = (classes - np.logaddexp.reduce(classes, 1, keepdims=True))[:, :-1]
    elif head.probabilities:
        held = np.clip(there * classes, _HELD, 1 - _HELD)
        scores = np.log(held) - np.log1p(-held)
    else:
        scores = classes if head.objectness is None else -np.logaddexp(0, -there) - np.logaddexp(0, -classes)
    return np.asarray(scores.max(1) if head.index is None else scores[:, head.index])
