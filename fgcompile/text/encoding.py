"""A text as its tokens: what the tokenizer made of it, and which characters each came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fgcompile.errors import InputError

Text = str | tuple[str, ...]
"""A text, or the segments of one: ``("premise", "hypothesis")``."""


@dataclass(frozen=True)
class Piece:
    """One token.

    Attributes:
        text: As the vocabulary has it, ``##ll``.
        id: Its number.
        type_id: Its segment's, as the model is told.
        start: Where the characters begin that it came from; of a special one 0.
        end: Where they end.
        segment: Which of the texts it came from; None of a special one, which the tokenizer added.
    """

    text: str
    id: int
    type_id: int
    start: int
    end: int
    segment: int | None


@dataclass(frozen=True)
class Encoded:
    """A text, in segments, and its tokens in the order in which the model gets them."""

    texts: tuple[str, ...]
    pieces: tuple[Piece, ...]


def as_segments(text: object, most: int) -> tuple[str, ...]:
    """A text as its segments.

    Raises:
        InputError: It is no text, has more than ``most`` segments, or one is empty.
    """
    segments = text if isinstance(text, tuple) else (text,)
    for segment in segments:
        if not isinstance(segment, str):
            raise InputError(f"a text is {type(segment).__name__}: give a str, or a tuple of them for its segments")
        if not segment.strip():
            raise InputError("a text is empty: give one with a word in it")
    if not 1 <= len(segments) <= most:
        raise InputError(f"a text has {len(segments)} segments, {most} are taken: give as many")
    return segments


def encode(tokenizer: Any, texts: Sequence[str]) -> Encoded:
    """The tokens of a text of one or two segments, with those that the tokenizer adds.

    Args:
        tokenizer: As ``open_tokenizer`` opens it.
        texts: The segments.

    Raises:
        InputError: It cannot be read, as one that has half of a surrogate pair, or there is nothing left of it.
    """
    try:
        for text in texts:
            text.encode()
        found = tokenizer.encode(*texts)
    except UnicodeEncodeError as error:
        raise InputError(f"a text is not Unicode ({error.reason} at character {error.start}): mend it") from error
    except Exception as error:  # the library raises nothing finer
        raise InputError(f"the tokenizer cannot read a text ({error})") from error
    columns = (found.tokens, found.ids, found.type_ids, found.offsets, found.sequence_ids)
    pieces = tuple(
        Piece(token, number, kind, 0 if segment is None else start, 0 if segment is None else end, segment)
        for token, number, kind, (start, end), segment in zip(*columns, strict=True)
    )
    if all(piece.segment is None for piece in pieces):
        raise InputError("the tokenizer makes no token of a text: give one with a word in it")
    return Encoded(tuple(texts), pieces)
