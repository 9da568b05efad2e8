"""What is said of a text: its tokens and words, and how much each adds to what was explained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fgcompile.artifact.elements import ClassScore, Element, plain
from fgcompile.errors import InputError


@dataclass(frozen=True)
class ExplainedToken:
    """A token.

    Attributes:
        text: The characters that it came from; of a special one its name, ``[CLS]``.
        piece: As the vocabulary has it, ``##ll``.
        id: Its number there.
        start: Where its characters begin in its segment.
        end: Where they end.
        segment: Which segment it is of; None of a special one, which the tokenizer added.
        score: Its place's value on the map.
        unknown: Whether its characters are not in the vocabulary: the model was told no more than that.
    """

    text: str
    piece: str
    id: int
    start: int
    end: int
    segment: int | None
    score: float
    unknown: bool = False

    @property
    def special(self) -> bool:
        """Whether the tokenizer added it."""
        return self.segment is None


@dataclass(frozen=True)
class ExplainedWord:
    """A word.

    Attributes:
        text: Its characters.
        start: Where they begin in its segment.
        end: Where they end.
        segment: Which segment it is of.
        score: The sum of its tokens'.
        tokens: These, by their places.
    """

    text: str
    start: int
    end: int
    segment: int
    score: float
    tokens: tuple[int, ...]


@dataclass(frozen=True)
class ExplainedText:
    """A text, what the model says of it, and which words say so.

    Attributes:
        texts: Its segments.
        tokens: All tokens that the model got, without pads.
        words: The words, without special tokens.
        target: The explained element of the output; None of a score that was a function.
        name: It in words: a label, a token of the vocabulary.
        score: What is explained, a logit, or what a score is; None where the outputs do not say it.
        top: The best classes, best first; empty of a score.
        signed: Whether scores have signs, and add up to the score with the terms that lie at no token.
        padding: The magnitude that lies on pads, which is not shown: 0 where a model leaves them out.
        residual: The score minus its terms, where it is computed.
    """

    texts: tuple[str, ...]
    tokens: tuple[ExplainedToken, ...]
    words: tuple[ExplainedWord, ...]
    target: Element | None
    name: str
    score: float | None
    top: tuple[ClassScore, ...]
    signed: bool
    padding: float = 0.0
    residual: float | None = None

    @property
    def total(self) -> float:
        """The sum of all tokens' scores."""
        return sum(token.score for token in self.tokens)

    def strongest(self, k: int = 5) -> tuple[ExplainedWord, ...]:
        """The words that weigh most, whatever their sign, strongest first; ``top`` has the best classes.

        Args:
            k: How many, at most.

        Raises:
            InputError: It is no whole number above 0.
        """
        if isinstance(k, bool) or not isinstance(k, int) or k < 1:
            raise InputError(f"k is {k!r}: give 1 or more")
        return tuple(sorted(self.words, key=lambda word: -abs(word.score))[:k])

    def as_dict(self) -> Mapping[str, Any]:
        """For JSON."""
        return {
            "text": self.texts[0] if len(self.texts) == 1 else list(self.texts),
            "target": None if self.target is None else plain(self.target),
            "name": self.name,
            "score": self.score,
            "top": [vars(each) for each in self.top],
            "signed": self.signed,
            "total": self.total,
            "words": [{**vars(word), "tokens": list(word.tokens)} for word in self.words],
            "tokens": [{**vars(token), "special": token.special} for token in self.tokens],
            "padding": self.padding,
            **({} if self.residual is None else {"residual": self.residual}),
        }
