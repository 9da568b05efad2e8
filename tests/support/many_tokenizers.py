"""Tokenizers of every family, trained here on odd texts, and such texts."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from typing import Any

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

from tests.support.texts import byte_level, wordpiece

ODD = (
    *("The film was dull.", "It's joyous, isn't it?", " leading", "trailing ", "  two  spaces  ", "don't we'll I'm"),
    *("naïve café São Paulo", "ΟΔΥΣΣΕΥΣ σας", "İstanbul", "ﬁne ﬂow", "e\u0301a\u0323\u0302 x", "Ǆ ǅ ß ẞ", "ő̃", "ΐ"),
    *("日本語のテスト 你好", "한국어 텍스트", "가각ᄀ", "\u1100\u1161\u11a8", "𠀀𪚥 rare", "ไทยภาษา", "१२३ नमस्ते"),
    *(
        "emoji 😀👩‍👩‍👧‍👦🇩🇪!",
        "👍🏽 ok",
        "שלום עולם",
        "مرحبا بالعالم",
        "ﷺ",
        "“curly” ‘quotes’ – dash…",
        "½ Ⅷ ٣ 123,456.78",
    ),
    *(
        "\ttab\nnew\r\nline",
        "ab  \n\n cd",
        "zero\u200bwidth\ufeffbom",
        "\u00a0nb\u3000sp",
        "\u0085nel",
        "\u0000nul\ufffd",
    ),
    *("[MASK] dull [SEP]", "x[CLS]y", "<mask>", "  <mask>  a", "the[PAD]film", "<b>&amp;</b>", "a_b-c/d\\e", "..."),
    *("dulldulldull", "q" * 150, "joyous " * 50, "\u0344x", "\u0323\u0301lead", "joy du Joyous"),
)

_LETTERS = (
    "abcdefghijklmnopqrstuvwxyz    ABC.,'!?-_0123456789éèüñçßİΣσςàđ中文字日本😀👍️\u0301\u0323\u0302\u200d\u00a0\t\n"
    "אבמشกขက가각ﬁ½²③…“”’€\u1100\u1161\u11a8ǅ𠀀𝒜"
)
_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
_LLAMA = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
    r"\s+(?!\S)|\s+"
)


def random_texts(count: int, seed: int) -> list[str]:
    """Texts of characters that belong to many scripts and sit badly together; each has one that is no space."""
    chance = random.Random(seed)
    return ["x" + "".join(chance.choices(_LETTERS, k=chance.randint(1, 40))) for _ in range(count)]


# As SentencePiece compiles some rules: ligatures, accents, other spaces, what is left out, what becomes longer.
_CHARSMAP = (
    "AAQAAAAgAAAJCQAACgUAAAEAAIDMiAIAozwDAMwMAgCCOQAAzAwCADAAAICBBQAAGgAAgKA9AAAHAACAnwUAABcAAICwCQAAvXEAABUAAICjHQ"
    "AAHQAAgIIFAACEOAIA4SwCAIC4AwCFiAIAoQUAADQAAIAAAACAgCACAIsJAAADAACAsAwCAIAMAgCAhQAAgLQDAOrIAgCB+QAAsAgCABIAAICB"
    "PQAAugkAAKwMAgAgAACAoQUAABAAAICfZAIAmHQCAA0AAIC3iAIAgAkAAKaxAAA1AAAANAAAADcAAAA2AAAAOQAAADgAAAC83AIAOgAAAD0AAA"
    "A8AAAAPwAAAD4AAABBAAAAQAAAAEMAAABCAAAARQAAAEQAAABHAAAARgAAAEkAAABIAAAASwAAAEoAAABNAAAATAAAAE8AAABOAAAAUQAAAFAA"
    "AABTAAAAUgAAAFUAAABUAAAAVwAAAFYAAABZAAAAWAAAAFsAAABaAAAAXQAAAFwAAABfAAAAXgAAAGEAAABgAAAAYwAAAGIAAABlAAAAZAAAAG"
    "cAAABmAAAAaQAAAGGEAgBrAAAAagAAAG0AAABlpAIAbwAAAG4AAABxAAAAcAAAAHMAAAByAAAAdQAAAHQAAAB3AAAAdgAAAHkAAAB4AAAAewAA"
    "AHoAAAB9AAAAfAAAAH8AAAB+AAAAgQAAAIAAAACDAAAAggAAAIUAAACEAAAAhwAAAIYAAACJAAAAiAAAAIsAAACKAAAAjQAAAIwAAACPAAAAjg"
    "AAAJEAAACQAAAAkwAAAJIAAACVAAAAlAAAAJcAAACWAAAAmQAAAJgAAACbAAAAmgAAAJ0AAACcAAAAnwAAAJ4AAAChAAAAoAAAAKMAAACiAAAA"
    "pQAAAKQAAACnAAAApgAAAKkAAACoAAAAqwAAAKoAAACtAAAArAAAAK8AAACuAAAAsQAAALAAAACzAAAAsgAAALUAAAC0AAAAtwAAALYAAAC5AA"
    "AAuAAAALsAAAC6AAAAvQAAALwAAAC/AAAAvgAAAMEAAADAAAAAwwAAAMIAAADFAAAAxAAAAM7YAQDPQAEAyQAAAMgAAADCmAEAw2gBAMSwAQDM"
    "AAAAzwAAAM4AAADRAAAA0AAAANMAAADSAAAA1QAAANQAAADXAAAA1gAAANkAAADYAAAA2wAAANoAAADdAAAA3AAAAN8AAADeAAAA4QAAAOAAAA"
    "DqyAEA4gAAAOUAAADkAAAA5wAAAO+EAQDpAAAA4ewBAOLcAQDjKAEA7QAAAOwAAADvAAAA7gAAAPEAAADwAAAA8wAAAPIAAAD1AAAA9AAAAPcA"
    "AAD2AAAA8CQBAPgAAAD7AAAA+gAAAP0AAAD8AAAA/wAAAP4AAAAAIAAuLi4AMeKBhDIAOikAQQBmaQBpAHNzAMOpAM+DANi12YTZiSDYp9mE2Y"
    "TZhwDhuq0A6rCAAA=="
)

Step = Callable[[Tokenizer], Any]


def _template(tokenizer: Tokenizer) -> Any:
    return processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")],
    )


def _ends(tokenizer: Tokenizer) -> list[tuple[str, int]]:
    return [(name, tokenizer.token_to_id(name)) for name in ("[SEP]", "[CLS]")]


def _trained(model: Any, size: int, *steps: Any, post: Step | None = None, **options: Any) -> Tokenizer:
    """A tokenizer of a model, a normalizer and a pre-tokenizer, each of which may be missing."""
    tokenizer = Tokenizer(model)
    for name, step in zip(("normalizer", "pre_tokenizer"), steps, strict=False):
        if step is not None:
            setattr(tokenizer, name, step)
    trainer = {
        models.WordPiece: trainers.WordPieceTrainer,
        models.BPE: trainers.BpeTrainer,
        models.Unigram: trainers.UnigramTrainer,
        models.WordLevel: trainers.WordLevelTrainer,
    }[type(model)]
    corpus = [*ODD, *["the film was a joy and not dull at all, it's joyous in Paris"] * 20, *random_texts(300, 1)]
    tokenizer.train_from_iterator(
        corpus, trainer(vocab_size=size, special_tokens=_SPECIAL, show_progress=False, **options)
    )
    if post is not None:
        tokenizer.post_processor = post(tokenizer)
    return tokenizer


def many_tokenizers() -> dict[str, Tokenizer]:
    """Tokenizers by whose they are like."""
    n, p = normalizers, pre_tokenizers
    every_byte = {"initial_alphabet": p.ByteLevel.alphabet()}
    pieces = models.WordPiece(unk_token="[UNK]")
    bert = _trained(pieces, 300, n.BertNormalizer(), p.BertPreTokenizer(), post=_template)
    bert.decoder = decoders.WordPiece()
    gpt = _trained(
        models.BPE(),
        500,
        None,
        p.ByteLevel(add_prefix_space=False),
        post=lambda _: processors.ByteLevel(),
        **every_byte,
    )
    gpt.decoder = decoders.ByteLevel()
    sentences = n.Sequence([n.Prepend("▁"), n.Replace(" ", "▁")])
    llama = _trained(models.BPE(unk_token="[UNK]", fuse_unk=True), 200, sentences, post=_template, limit_alphabet=40)
    t5 = _trained(models.Unigram(), 250, n.NFKC(), p.Metaspace(), post=_template, unk_token="[UNK]")
    t5.decoder = decoders.Metaspace()
    return {
        "bert": bert,
        "bert, cased": _trained(
            models.WordPiece(unk_token="[UNK]"), 300, n.BertNormalizer(lowercase=False), p.BertPreTokenizer(),
            post=lambda made: processors.BertProcessing(*_ends(made)),
        ),
        "accents apart": _trained(
            models.WordPiece(unk_token="[UNK]"), 300, n.Sequence([n.NFD(), n.Lowercase(), n.StripAccents()]),
            p.Whitespace(), post=_template,
        ),
        "compatible": _trained(
            models.WordPiece(unk_token="[UNK]"), 300, n.Sequence([n.Strip(), n.NFKC()]),
            p.Sequence([p.WhitespaceSplit(), p.Punctuation(), p.Digits(individual_digits=True)]),
        ),
        "apart": _trained(
            models.WordPiece(unk_token="[UNK]"), 300, n.Sequence([n.NFKD(), n.Strip(left=False)]),
            p.Sequence([p.Digits(), p.Punctuation("merged_with_previous")]),
        ),
        "gpt-2": gpt,
        "roberta": _trained(
            models.BPE(), 500, None, p.ByteLevel(add_prefix_space=True),
            post=lambda made: processors.RobertaProcessing(*_ends(made)), **every_byte,
        ),
        "llama 3": _trained(
            models.BPE(ignore_merges=True), 500, n.NFC(),
            p.Sequence([p.Split(Regex(_LLAMA), "isolated"), p.ByteLevel(add_prefix_space=False, use_regex=False)]),
            post=lambda made: processors.Sequence([processors.ByteLevel(), _template(made)]), **every_byte,
        ),
        "clip": _trained(
            models.BPE(end_of_word_suffix="</w>", unk_token="[UNK]"), 400,
            n.Sequence([n.NFC(), n.Replace(Regex(r"\s+"), " "), n.Lowercase()]),
            p.Split(Regex(r"\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"), "removed", invert=True), end_of_word_suffix="</w>",
        ),
        "llama": llama,
        "llama, bytes": _with_bytes(llama),
        "t5": t5,
        "t5, words": _trained(
            models.Unigram(), 250, None, p.Sequence([p.WhitespaceSplit(), p.Metaspace(prepend_scheme="first")]),
            post=_template, unk_token="[UNK]",
        ),
        "t5, whole": _trained(models.Unigram(), 250, None, p.Metaspace("▁", "never", split=False), unk_token="[UNK]"),
        "t5, bytes": _with_bytes(t5),
        "xlm-r": _trained(
            models.Unigram(), 250,
            n.Sequence([n.Precompiled(base64.b64decode(_CHARSMAP)), n.Replace(Regex(" {2,}"), " ")]), p.Metaspace(),
            post=_template, unk_token="[UNK]",
        ),
        "words": _trained(models.WordLevel(unk_token="[UNK]"), 100, n.Lowercase(), p.Whitespace()),
        "added": _with_added(bert),
        "ours, wordpiece": _bare(wordpiece()),
        "ours, bytes": byte_level(),
    }  # fmt: skip


def _bare(tokenizer: Tokenizer) -> Tokenizer:
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _with_bytes(tokenizer: Tokenizer) -> Tokenizer:
    """With a token for each byte, which stand for what is unknown."""
    settings = json.loads(tokenizer.to_str())
    vocabulary = settings["model"]["vocab"]
    for byte in range(256):
        if isinstance(vocabulary, list):
            vocabulary.append([f"<0x{byte:02X}>", -20.0])
        else:
            vocabulary[f"<0x{byte:02X}>"] = len(vocabulary)
    settings["model"]["byte_fallback"] = True
    return Tokenizer.from_str(json.dumps(settings))


def _with_added(tokenizer: Tokenizer) -> Tokenizer:
    """With tokens that were added to its vocabulary, which have ways of their own."""
    made = Tokenizer.from_str(tokenizer.to_str())
    made.add_tokens(
        [
            AddedToken("du", single_word=True),
            AddedToken("Joy", normalized=True),
            AddedToken("<mask>", lstrip=True, rstrip=True, normalized=False),
            AddedToken("oyo", normalized=True),
        ]
    )
    return made
