"""The page reads texts as the library ``tokenizers``: text, number and segment of each token, and its characters."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest
from tokenizers import Tokenizer

from fgcompile.drawing.scale import number_of as scale_number_of
from fgcompile.page.site import SITE
from fgcompile.page.texts import PARTS
from fgcompile.system.text import visible
from fgcompile.text.drawn import colours
from fgcompile.text.drawn.page import number_of
from fgcompile.text.encoding import Encoded, encode
from fgcompile.text.inputs import TextInputs
from fgcompile.text.model import TextModel
from fgcompile.text.tokenizer import unknown_of
from fgcompile.text.words import group_words, runs
from tests.support.javascript import run_module
from tests.support.many_tokenizers import ODD, many_tokenizers, random_texts

TRIED = [(text,) for text in (*ODD, *random_texts(60, 2))]
PAIRS = [(one[0], other[0]) for one, other in zip(TRIED[:40], reversed(TRIED[:40]), strict=True)]
ENCODE = """given.json.map((json) => {
  const tokenizer = new Tokenizer(json, library);
  return given.texts.map((texts) => {
    try {
      return tokenizer.encode(texts).pieces.map((p) => [p.text, p.id, p.typeId, p.start, p.end, p.segment]);
    } catch (error) {
      return error.message;
    }
  });
})"""


@cache
def tokenizers() -> dict[str, Tokenizer]:
    return many_tokenizers()


def encoded(tokenizer: Tokenizer, texts: tuple[str, ...]) -> list[list[Any]]:
    """As the runtime reads a text; one that has no token of its own is nothing there, and here what was added."""
    found = tokenizer.encode(*texts)
    if all(segment is None for segment in found.sequence_ids):
        return [[t, i, k, 0, 0, None] for t, i, k in zip(found.tokens, found.ids, found.type_ids, strict=True)]
    return [[p.text, p.id, p.type_id, p.start, p.end, p.segment] for p in encode(tokenizer, texts).pieces]


def encoded_by_page(made: dict[str, Tokenizer], texts: list[tuple[str, ...]]) -> dict[str, list[Any]]:
    given = {"json": [tokenizer.to_str() for tokenizer in made.values()], "texts": texts}
    return dict(zip(made, run_module({"text/tokenizer.js": "Tokenizer"}, ENCODE, given), strict=True))


def test_the_token_for_what_is_unknown_is_that_of_the_library() -> None:
    """It is the one of a character that no vocabulary has; where there are bytes no character is unknown."""
    given = [tokenizer.to_str() for tokenizer in tokenizers().values()]
    expression = "given.map((json) => new Tokenizer(json, library).unknown ?? null)"
    found = run_module({"text/tokenizer.js": "Tokenizer"}, expression, given)
    for (name, tokenizer), number in zip(tokenizers().items(), found, strict=True):
        assert (name, number) == (name, unknown_of(tokenizer.to_str()))
        ids = {token.id for token in encode(tokenizer, ("\U00010348",)).pieces if token.segment is not None}
        assert (name, number in ids) == (name, number is not None and "bytes" not in name)


def test_tokens_and_their_characters_are_those_of_the_library() -> None:
    texts = TRIED + PAIRS
    found = encoded_by_page(tokenizers(), texts)
    for name, tokenizer in tokenizers().items():
        for text, pieces in zip(texts, found[name], strict=True):
            assert (name, text, pieces) == (name, text, encoded(tokenizer, text))


@pytest.mark.slow
def test_random_texts() -> None:
    texts = [(text,) for text in random_texts(2000, 3)]
    found = encoded_by_page(tokenizers(), texts)
    for name, tokenizer in tokenizers().items():
        for text, pieces in zip(texts, found[name], strict=True):
            assert (name, text, pieces) == (name, text, encoded(tokenizer, text))


@pytest.mark.slow
def test_every_character_is_read_alike_or_refused() -> None:
    """But for ideographs and Hangul, of which there are many and each is as the next, and what is unassigned."""
    program = r"""Array.from({ length: 0x110000 - given }, (_, number) => number + given).filter((number) => {
      const char = String.fromCodePoint(number);
      const many = number > 0x33ff && /[\p{Script=Hangul}\p{Script=Han}]/u.test(char);
      return !many && !TOO_NEW.test(char) && !/[\p{Cn}\p{Co}\p{Cs}]/u.test(char);
    })"""
    numbers = run_module({"text/unicode.js": "TOO_NEW"}, program, 0)
    assert len(numbers) > 40_000
    texts = [(" ".join(f"a{chr(n)}b{chr(n)}" for n in numbers[at : at + 50]),) for at in range(0, len(numbers), 50)]
    made = {name: tokenizers()[name] for name in ("bert", "accents apart", "apart", "gpt-2", "llama 3")}
    found = encoded_by_page(made, texts)
    for name, tokenizer in made.items():
        for text, pieces in zip(texts, found[name], strict=True):
            assert (name, text, pieces) == (name, text, encoded(tokenizer, text))


def test_what_is_no_unicode_or_too_new_is_refused() -> None:
    made = {"bert": tokenizers()["bert"]}
    half, new = encoded_by_page(made, [("half \ud83d",), ("the \U0001e130 film",)])["bert"]
    assert "half of a surrogate pair" in half
    assert "U+1E130" in new


def test_tokens_are_called_as_the_runtime_calls_them() -> None:
    program = """given.map((json) => {
      const tokenizer = new Tokenizer(json, library);
      return [...tokenizer.names.keys()].sort((a, b) => a - b).map((id) => tokenizer.tokenName(id));
    })"""
    made = [tokenizers()[name] for name in ("bert", "gpt-2", "t5", "clip", "words")]
    named = run_module({"text/tokenizer.js": "Tokenizer"}, program, [tokenizer.to_str() for tokenizer in made])
    for tokenizer, names in zip(made, named, strict=True):
        model = TextModel({}, tokenizer, None, TextInputs((), ()))  # type: ignore[typeddict-item]
        assert names == [model.token_name(number) for number in range(tokenizer.get_vocab_size())]


def test_words_and_stretches_are_those_of_the_runtime() -> None:
    program = """given.json.map((json) => {
      const tokenizer = new Tokenizer(json, library);
      return given.texts.map((texts) => {
        const encoded = tokenizer.encode(texts);
        const groups = groupWords(encoded).map((group) => [group.pieces, group.segment, group.start, group.end]);
        const own = (segment) => [...encoded.pieces.entries()].filter(([, piece]) => piece.segment === segment);
        const parts = encoded.texts.map((chars, segment) => runs(chars.length, own(segment)));
        return [groups, parts.map((found) => found.map(({ start, end, tokens }) => [start, end, tokens]))];
      });
    })"""
    names = ("bert", "gpt-2", "roberta", "llama, bytes", "t5")
    texts = TRIED + PAIRS
    given = {"json": [tokenizers()[name].to_str() for name in names], "texts": texts}
    modules = {"text/tokenizer.js": "Tokenizer", "text/words.js": "groupWords, runs"}
    for name, of_texts in zip(names, run_module(modules, program, given), strict=True):
        for text, found in zip(texts, of_texts, strict=True):
            if any(segment is not None for segment in tokenizers()[name].encode(*text).sequence_ids):
                assert (name, text, found) == (name, text, grouped(encode(tokenizers()[name], text)))


def grouped(text: Encoded) -> list[Any]:
    groups = [[list(group.pieces), group.segment, group.start, group.end] for group in group_words(text)]
    parts = []
    for segment, characters in enumerate(text.texts):
        own = [(place, piece) for place, piece in enumerate(text.pieces) if piece.segment == segment]
        parts.append([[run.start, run.end, list(run.pieces)] for run in runs(characters, own)])
    return [groups, parts]


def test_numbers_and_names_are_written_as_in_the_gallery() -> None:
    numbers = [0.0, 1.0, -0.5, 0.1234, 12.345, 999.4, 999.6, 1234.5, -1e-4, 9.99e-5, 3e-12, 1.5e20, 100.0, 0.0012345]
    names = ["a\tb\n\x07", "\u2028\u200f", "ok é 😀"]
    program = "[given.numbers.map((n) => [numberOf(n, true), numberOf(n, false)]), given.names.map(visible)]"
    read = run_module({"text/show.js": "numberOf, visible"}, program, {"numbers": numbers, "names": names})
    assert read == [[[number_of(n, True), number_of(n, False)] for n in numbers], [visible(name) for name in names]]


def test_numbers_of_a_scale_are_written_as_in_the_gallery() -> None:
    numbers = [
        0.0,
        1.0,
        -0.5,
        0.1234,
        12.345,
        999.4,
        1234.5,
        123456.0,
        1.5e6,
        -1e-4,
        9.99e-6,
        3e-12,
        1.5e20,
        0.995,
        0.9949,
    ]
    read = run_module({"scale.js": "numberOf"}, "given.map((number) => numberOf(number))", numbers)
    assert read == [scale_number_of(number) for number in numbers]


def test_colours_are_those_of_the_gallery() -> None:
    style = (SITE / "text" / "style.css").read_text()
    for name, colour in (("more", colours.MORE), ("less", colours.LESS)):
        assert f"--{name}: {' '.join(map(str, colour))};" in style
    assert f"--strongest: {colours.STRONGEST};" in style


def test_the_command_refuses_what_the_page_does_not_read() -> None:
    tables = {
        "normalizer": "NORMALIZERS", "pre_tokenizer": "PRE_TOKENIZERS",
        "model": "MODELS", "post_processor": "POST_PROCESSORS",
    }  # fmt: skip
    for part, table in tables.items():
        (path,) = (file for file in (SITE / "text").glob("*.js") if f"export const {table} " in file.read_text())
        body = path.read_text().split(f"export const {table} ")[1].split("\n};")[0]
        assert frozenset(re.findall(r"^  (\w+): ", body, re.MULTILINE)) == PARTS[part]
