"""Tokens grouped to words, by what stands in the text: tokenizers differ in what they call one.

A word is a run of letters and digits, with apostrophes between them; any other character that is no space is one by
itself, and so is each character of a script that is written without spaces. Tokens that share a word belong together,
and so do words that share a token: each token is in exactly one group.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fgcompile.text.encoding import Encoded, Piece

# Thai, Lao, Myanmar, Khmer; kana, ideographs and their extensions. Hangul has spaces.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_WORD = re.compile(rf"[{_UNSPACED}]|(?:(?![{_UNSPACED}_])\w)+(?:['’](?:(?![{_UNSPACED}_])\w)+)*|\S")


@dataclass(frozen=True)
class Group:
    """Neighbouring tokens that make a word, by their places, and the characters that these came from."""

    pieces: tuple[int, ...]
    segment: int
    start: int
    end: int


def group_words(encoded: Encoded) -> tuple[Group, ...]:
    """The words of a text, in the order of its tokens; special tokens belong to none."""
    words = [_words_by_character(text) for text in encoded.texts]
    groups: list[list[int]] = []
    open_to: set[int] | None = None  # the words that the last group has a part of
    blanks: list[int] = []  # tokens that are a space alone: they belong to the word behind them
    for place, piece in enumerate(encoded.pieces):
        if piece.segment is None or (place and piece.segment != encoded.pieces[place - 1].segment):
            groups, open_to, blanks = _close(groups, blanks), None, []
        if piece.segment is None:
            continue
        if not encoded.texts[piece.segment][piece.start : piece.end].strip(" "):
            blanks.append(place)
            continue
        own = set(words[piece.segment][piece.start : piece.end]) - {_SPACE}
        if open_to is not None and open_to & own:
            groups[-1] += [*blanks, place]
            own |= open_to
        else:
            groups.append([*blanks, place])
        open_to, blanks = own, []
    return tuple(_group(encoded, places) for places in _close(groups, blanks))


def _close(groups: list[list[int]], blanks: list[int]) -> list[list[int]]:
    """Spaces that no word is behind go to the one before; alone they are one."""
    if not blanks:
        return groups
    near = groups and groups[-1][-1] + 1 == blanks[0]
    return [*groups[:-1], groups[-1] + blanks] if near else [*groups, blanks]


_SPACE = -1


def _words_by_character(text: str) -> list[int]:
    numbers = [_SPACE] * len(text)
    for number, found in enumerate(_WORD.finditer(text)):
        numbers[found.start() : found.end()] = [number] * (found.end() - found.start())
    return numbers


def _group(encoded: Encoded, places: Sequence[int]) -> Group:
    pieces = [encoded.pieces[place] for place in places]
    segment = pieces[0].segment or 0
    text = encoded.texts[segment]
    # Some tokens have the space in front of them; a word has not.
    start, end = min(piece.start for piece in pieces), max(piece.end for piece in pieces)
    inner = text[start:end]
    if inner.strip():
        start, end = start + len(inner) - len(inner.lstrip()), end - (len(inner) - len(inner.rstrip()))
    return Group(tuple(places), segment, start, end)


@dataclass(frozen=True)
class Run:
    """A stretch of a text and the tokens, by their places, that came from it; none of what lies between them."""

    start: int
    end: int
    pieces: tuple[int, ...]


def runs(text: str, pieces: Sequence[tuple[int, Piece]]) -> Iterator[Run]:
    """A segment from its first character to its last, in stretches; tokens that share a character share one.

    Args:
        text: The segment.
        pieces: Its tokens with their places, in order.
    """
    places: list[int] = []
    position = 0
    start = end = 0
    for place, piece in pieces:
        if places and (piece.start < end or piece.start == piece.end):
            places.append(place)
            end = max(end, piece.end)
            continue
        if places:
            yield Run(start, end, tuple(places))
            position = end
        start, end, places = max(piece.start, position), piece.end, [place]
        if position < start:
            yield Run(position, start, ())
            position = start
    if places:
        yield Run(start, end, tuple(places))
        position = end
    if position < len(text):
        yield Run(position, len(text), ())
