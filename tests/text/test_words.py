"""Words as groups of tokens: by hand, and what holds of any text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fgcompile.errors import InputError
from fgcompile.text.encoding import Encoded, Piece, as_segments, encode
from fgcompile.text.words import group_words, runs
from tests.support.texts import byte_level, wordpiece

WORDPIECE, BYTE_LEVEL = wordpiece(), byte_level()
for tokenizer in (WORDPIECE, BYTE_LEVEL):
    tokenizer.no_truncation()
    tokenizer.no_padding()

CASES = {
    "pieces of a word": (WORDPIECE, ("Dull film.",), ["Dull", "film", "."]),
    "an apostrophe within a word": (WORDPIECE, ("it's not 'dull'",), ["it's", "not", "'", "dull", "'"]),
    "pairs": (WORDPIECE, ("the film", "a joy"), ["the", "film", "a", "joy"]),
    "scripts without spaces": (BYTE_LEVEL, ("猫が好き。",), ["猫", "が", "好", "き", "。"]),
    "bytes of one character": (BYTE_LEVEL, ("a 🙂 b",), ["a", "🙂", "b"]),
    "spaces of their own": (BYTE_LEVEL, ("was dull in  it ",), ["was", "dull", "in", "it"]),
    "a line break is a word of its own": (BYTE_LEVEL, ("dull\nfilm",), ["dull", "\n", "film"]),
    "underscores": (BYTE_LEVEL, ("a_b",), ["a", "_", "b"]),
}


@pytest.mark.parametrize("name", CASES)
def test_words(name: str) -> None:
    tokenizer, texts, expected = CASES[name]
    encoded = encode(tokenizer, texts)
    groups = group_words(encoded)
    assert [encoded.texts[group.segment][group.start : group.end] for group in groups] == expected


@given(st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=40).filter(str.strip))
def test_each_token_is_in_one_word_and_each_character_in_one_run(text: str) -> None:
    encoded = encode(BYTE_LEVEL, (text,))
    grouped = [place for group in group_words(encoded) for place in group.pieces]
    assert grouped == [place for place, piece in enumerate(encoded.pieces) if piece.segment is not None]
    cut = list(runs(text, list(enumerate(encoded.pieces))))
    assert "".join(text[run.start : run.end] for run in cut) == text
    assert sorted(place for run in cut for place in run.pieces) == list(range(len(encoded.pieces)))


def test_a_token_of_two_words_joins_them() -> None:
    pieces = tuple(Piece(text, 0, 0, start, end, 0) for text, start, end in (("a", 0, 1), (" b, c", 1, 6), ("d", 6, 7)))
    (first, second) = group_words(Encoded(("a b, cd",), pieces))
    assert (first.pieces, second.pieces) == ((0,), (1, 2))
    assert (second.start, second.end) == (2, 7)


@pytest.mark.parametrize(
    ("text", "message"),
    [(3, "a text is int"), ("", "empty"), (("a", " "), "empty"), (("a", "b", "c"), "3 segments"), ((), "0 segments")],
)
def test_what_is_no_text(text: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        as_segments(text, 2)


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(InputError, match="not Unicode"):
        encode(WORDPIECE, ("dull \ud83d",))
