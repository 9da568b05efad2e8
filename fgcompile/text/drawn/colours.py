"""Orange for what adds to the score, blue for what takes from it, nothing at 0; the colour-blind tell them apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fgcompile.text.encoding import Piece
from fgcompile.text.explained import ExplainedText
from fgcompile.text.words import Run, runs

Color = tuple[int, int, int]

MORE: Color = (240, 120, 10)
LESS: Color = (50, 120, 235)
STRONGEST = 0.65
"""How opaque the strongest colour is, so that black letters are read on it, and white ones on it over black."""


@dataclass(frozen=True)
class Scale:
    """What the strongest colour stands for, the same magnitude on both sides of 0."""

    most: float

    def strength(self, score: float) -> float:
        """How much of the strongest colour a score has, from 0 to 1."""
        return min(1.0, abs(score) / self.most) if self.most > 0 else 0.0


def scale_of(explanation: ExplainedText) -> Scale:
    """The scale of a text: its largest token, special ones left aside, which may be far above all others."""
    own = [abs(token.score) for token in explanation.tokens if not token.special]
    return Scale(max(own, default=0.0))


def has_unknown(explanation: ExplainedText) -> bool:
    """Whether a part of a text is not in the vocabulary, so that its mark is to be explained."""
    return any(token.unknown for token in explanation.tokens)


def colour_of(score: float) -> Color:
    """The colour of a score's sign."""
    return MORE if score >= 0 else LESS


UNKNOWN = "unknown to the vocabulary"
"""What is said of characters for which the tokenizer has one token, whatever they are."""


@dataclass(frozen=True)
class Stretch:
    """Characters that are shown together, and what lies on them.

    Attributes:
        text: The characters.
        tokens: The tokens that came from them, by their places; none of what no token came from, such as spaces.
        word: The word that they belong to, by its place.
        score: The sum of the tokens'.
        unknown: Whether the vocabulary has no token for them.
    """

    text: str
    tokens: tuple[int, ...]
    word: int | None
    score: float
    unknown: bool = False


def stretches(explanation: ExplainedText, segment: int) -> list[Stretch]:
    """A segment from its first character to its last: joined, the texts are the segment."""
    words = {place: number for number, word in enumerate(explanation.words) for place in word.tokens}
    pieces: Sequence[tuple[int, Piece]] = [
        (place, Piece(token.piece, token.id, 0, token.start, token.end, token.segment))
        for place, token in enumerate(explanation.tokens)
        if token.segment == segment
    ]
    text = explanation.texts[segment]
    return [_stretch(explanation, text, run, words) for run in runs(text, pieces)]


def _stretch(explanation: ExplainedText, text: str, run: Run, words: dict[int, int]) -> Stretch:
    score = sum(explanation.tokens[place].score for place in run.pieces)
    word = words.get(run.pieces[-1]) if run.pieces else None
    unknown = any(explanation.tokens[place].unknown for place in run.pieces)
    return Stretch(text[run.start : run.end], run.pieces, word, score, unknown)
