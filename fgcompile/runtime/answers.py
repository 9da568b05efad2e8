"""One sample's explanation in words: what was explained, its score, its map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fgcompile.artifact.elements import (
    ClassScore,
    Element,
    best_elements,
    element_name,
    element_score,
    plain,
    score_of_terms,
    written,
)
from fgcompile.artifact.metadata import Metadata, has_random_weights
from fgcompile.artifact.scores import SCORE, score_name, score_of_logits
from fgcompile.artifact.validation import Array
from fgcompile.errors import InputError

NO_SALIENCY = "this artifact does not compute a map: compile it with saliency among its outputs"
"""What is wrong with an artifact that nothing can be drawn of."""

RANDOM = "random weights"
"""What captions say of a model that nobody trained."""


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
        name: In words; of a score that was a function what that is called.
        score: What is explained, where the outputs say it.
        saliency: The map, ``(*spatial)``.
        residual: Where it is computed.
        number: It in words without labels, where the name has letters that cannot be drawn.
        beside: What captions say where the score is not known: of a function's the best class.
        random: Whether the model's weights are, which captions say too.
    """

    element: Element | None
    name: str
    score: float | None
    saliency: NDArray[Any]
    residual: float | None
    number: str
    beside: ClassScore | None = None
    random: bool = False

    @property
    def detail(self) -> str:
        """The score as captions have it."""
        known = f"{'' if self.name == SCORE else 'score '}{written(self.score)}" if self.score is not None else ""
        if not known and self.beside is not None:
            known = f"{self.beside.name} {written(self.beside.score)}"
        return ", ".join(filter(None, (known, RANDOM if self.random else "")))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        target = None if self.element is None else plain(self.element)
        return {"target": target, "name": self.name, "score": self.score} | (
            {} if self.residual is None else {"residual": self.residual}
        )


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
        contributions, residual = (
            None if terms is None else terms[place] for terms in (explanation.contributions, explanation.residual)
        )
        score = score_of_terms(contributions, residual, metadata)
        if score is None and explanation.logits is not None:
            score = score_of_logits(explanation.logits[place[0]], metadata)
    return Answer(
        element=element,
        name=_name(element, metadata),
        score=score,
        saliency=explanation.saliency[place][0],
        residual=None if explanation.residual is None else float(explanation.residual[place]),
        number=_name(element, metadata, numbered=True),
        beside=None if element is not None else _best(explanation.logits, place[0], metadata),
        random=has_random_weights(metadata),
    )


def _name(element: Element | None, metadata: Metadata, numbered: bool = False) -> str:
    if element is not None:
        return element_name(element, metadata, numbered)
    return score_name(metadata, numbered) if metadata["target"] == "score" else "predicted"


def _best(logits: Array | None, sample: int, metadata: Metadata) -> ClassScore | None:
    """The best class, where logits have one axis."""
    if logits is None or logits.ndim != 2:
        return None
    return element_score(logits[sample], best_elements(logits[sample], metadata, 1)[0], metadata)
