"""One sample's explanation in words: what was explained, its score, its map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fgcompile.artifact.elements import Element, element_name, plain
from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.validation import Array
from fgcompile.errors import InputError

NO_SALIENCY = "this artifact does not compute a map: compile it with saliency among its outputs"
"""What is wrong with an artifact that nothing can be drawn of."""

SCORE = "score"
"""What is explained by an artifact whose target is a function of the model's outputs."""


class Explained(Protocol):
    """What is read of an explanation's numbers."""

    @property
    def logits(self) -> Array | None:
        """As in ``Explanation``."""

    @property
    def saliency(self) -> Array | None:
        """As in ``Explanation``."""

    @property
    def target(self) -> Array | None:
        """As in ``Explanation``."""

    @property
    def contributions(self) -> Array | None:
        """As in ``Explanation``."""

    @property
    def residual(self) -> Array | None:
        """As in ``Explanation``."""


@dataclass(frozen=True)
class Answer:
    """The explanation of one element of one sample.

    Attributes:
        element: None of a score that was a function, and where the artifact does not return what would say which.
        name: In words.
        score: What is explained, where the outputs say it.
        saliency: The map, ``(*spatial)``.
        residual: Where it is computed.
    """

    element: Element | None
    name: str
    score: float | None
    saliency: NDArray[Any]
    residual: float | None

    @property
    def detail(self) -> str:
        """The score as captions have it."""
        if self.score is None:
            return ""
        return f"{'' if self.name == SCORE else 'score '}{written(self.score)}"

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        target = None if self.element is None else plain(self.element)
        return {"target": target, "name": self.name, "score": self.score} | (
            {} if self.residual is None else {"residual": self.residual}
        )


def written(score: float) -> str:
    """A score as it is read."""
    return f"{score:.2f}".replace("-", "−")


def answers_of(explanation: Explained, sample: int, metadata: Metadata) -> list[Answer]:
    """One sample's answers, one for each target of a call.

    Raises:
        InputError: There is no map.
    """
    if explanation.saliency is None:
        raise InputError(NO_SALIENCY)
    several = metadata.get("targets") is not None
    count = explanation.saliency.shape[1] if several else 1
    return [_answer(explanation, (sample, number) if several else (sample,), metadata) for number in range(count)]


def _answer(explanation: Explained, place: tuple[int, ...], metadata: Metadata) -> Answer:
    assert explanation.saliency is not None
    target = explanation.target
    element = None if target is None else tuple(int(index) for index in np.atleast_1d(target[place]))
    if element is not None and explanation.logits is not None:
        score: float | None = float(explanation.logits[(place[0], *element)])
    else:
        score = _sum(explanation, place)
    unknown = SCORE if metadata["target"] == "score" else "predicted"
    return Answer(
        element=element,
        name=unknown if element is None else element_name(element, metadata),
        score=score,
        saliency=explanation.saliency[place][0],
        residual=None if explanation.residual is None else float(explanation.residual[place]),
    )


def _sum(explanation: Explained, place: tuple[int, ...]) -> float | None:
    """The explained score, if its terms are known: they and the residual add up to it."""
    if explanation.contributions is None or explanation.residual is None:
        return None
    return float(explanation.contributions[place].sum() + explanation.residual[place])
