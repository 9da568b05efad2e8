"""``Session.explain_text`` against the session's own answer to arrays written by hand, and against the models."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import fgcompile
from fgcompile.artifact.file import read_artifact, read_tokenizer
from fgcompile.artifact.metadata import dumps, loads
from fgcompile.errors import ArtifactError, InputError
from tests.support.texts import (
    BYTES,
    LABELS,
    VOCABULARY,
    Classifier,
    Embedder,
    Tagger,
    TwoTexts,
    byte_level,
    example,
    open_text,
    text_artifact,
    wordpiece,
)

TWO = ("query_input_ids", "query_attention_mask", "input_ids", "attention_mask")


def ids(*words: str) -> np.ndarray:
    return np.array([[VOCABULARY[word] for word in words]])


def test_tokens_that_stand_for_anything_are_told() -> None:
    found = open_text("classifier").explain_text("the zorg [UNK] was [MASK] dull")
    assert [(token.text, token.unknown) for token in found.tokens] == [
        ("[CLS]", False), ("the", False), ("zorg", True), ("[UNK]", True), ("was", False), ("[MASK]", False),
        ("du", False), ("ll", False), ("[SEP]", False),
    ]  # fmt: skip
    assert found.as_dict()["tokens"][2]["unknown"] is True


def test_words_are_sums_of_their_tokens_and_the_class_is_the_model_s() -> None:
    session = open_text("classifier")
    found = session.explain_text("It's dull.")
    given = ids("[CLS]", "it", "'", "s", "du", "##ll", ".", "[SEP]")
    feeds = {"input_ids": given, "attention_mask": np.ones_like(given), "token_type_ids": np.zeros_like(given)}
    expected = session.explain(feeds)
    assert expected.saliency is not None
    assert expected.logits is not None
    assert expected.target is not None
    scores = expected.saliency[0, 0].astype(np.float64)
    assert [token.score for token in found.tokens] == scores.tolist()
    assert [(word.text, word.start, word.end) for word in found.words] == [("It's", 0, 4), ("dull", 5, 9), (".", 9, 10)]
    np.testing.assert_allclose([word.score for word in found.words], [scores[1:4].sum(), scores[4:6].sum(), scores[6]])
    assert [token.text for token in found.tokens if token.special] == ["[CLS]", "[SEP]"]
    assert (found.target, found.name) == ((int(expected.target[0]),), LABELS[int(expected.target[0])])
    eager = Classifier().eval()(*(torch.from_numpy(value) for value in feeds.values()))[0]
    assert found.score == pytest.approx(eager.max().item(), abs=1e-5)
    assert [each.score for each in found.top] == pytest.approx(sorted(eager.tolist(), reverse=True), abs=1e-5)
    assert found.signed
    assert found.padding == 0
    assert found.residual == pytest.approx(0, abs=1e-5)


def test_pairs_lists_and_targets() -> None:
    session = open_text("classifier")
    pair = session.explain_text(("the film", "not dull"), target=LABELS[1])
    given = ids("[CLS]", "the", "film", "[SEP]", "not", "du", "##ll", "[SEP]")
    kinds = np.array([[0, 0, 0, 0, 1, 1, 1, 1]])
    expected = session.explain((given, np.ones_like(given), kinds), target=1)
    assert expected.saliency is not None
    assert [token.score for token in pair.tokens] == expected.saliency[0, 0].tolist()
    assert [(word.text, word.segment) for word in pair.words] == [("the", 0), ("film", 0), ("not", 1), ("dull", 1)]
    assert (pair.target, pair.name) == ((1,), LABELS[1])
    several = session.explain_text(["the film", ("the film", "not dull")], 1)
    assert [each.texts for each in several] == [("the film",), ("the film", "not dull")]
    assert several[1] == pair


def test_a_tagger_is_asked_for_a_word_and_pads_get_nothing() -> None:
    session = open_text("tagger")  # of 12 tokens
    text = "Paris was dull"
    given = ids("[CLS]", "paris", "was", "du", "##ll", "[SEP]")
    logits = Tagger(len(VOCABULARY), 3).eval()(torch.from_numpy(given), torch.ones(given.shape))[0].detach()
    found = session.explain_text(text, target=("dull", "B-LOC"))
    assert (found.target, found.name, len(found.tokens)) == ((3, 1), "B-LOC at du", 6)
    assert found.score == pytest.approx(float(logits[3, 1]), abs=1e-5)
    assert found.padding == pytest.approx(0, abs=1e-6)
    assert session.explain_text(text, target="dull,B-LOC") == found
    assert session.explain_text(text, target=(3, 1)) == found
    # Unasked, the surest tag of the text's own tokens that is not O.
    tags = logits[1:5]
    sure = [place for place in range(4) if tags[place].argmax() != 0] or list(range(4))
    place = max(sure, key=lambda each: float(tags[each].max()))
    assert session.explain_text(text).target == (1 + place, int(tags[place].argmax()))


@pytest.mark.parametrize("wrong", [1.5, 1.0, True, float("nan"), np.float64(1), b"dull", {1}, (1, 2, 3)])
def test_texts_are_asked_for_whole_numbers_and_words(wrong: Any) -> None:
    for session, targets in (
        (open_text("classifier"), (wrong,)),
        (open_text("tagger"), (wrong, (wrong, 1), (1, wrong))),
    ):
        for target in targets:
            with pytest.raises(InputError, match=r"^target") as raised:
                session.explain_text("Paris was dull", target)
            assert "\n" not in str(raised.value)
    with pytest.raises(InputError, match=r"^continuation is .*: give a text, as ' dull'"):
        open_text("language").explain_text("film was", continuation=wrong)
    assert open_text("classifier").explain_text("dull", np.int64(1)).target == (1,)  # type: ignore[call-overload]
    assert open_text("tagger").explain_text("Paris was dull", (np.int64(3), np.int8(1))).target == (3, 1)  # type: ignore[call-overload]


def test_a_language_model_is_asked_for_the_next_token_or_a_continuation() -> None:
    session = open_text("language")
    text = "film was"
    numbers = torch.tensor([byte_level().encode(text).ids])
    logits = Tagger(len(BYTES), len(BYTES), causal=True).eval()(numbers, torch.ones(numbers.shape))[0].detach()
    found = session.explain_text(text)
    assert found.target == (numbers.shape[1] - 1, int(logits[-1].argmax()))
    assert found.score == pytest.approx(float(logits[-1].max()), abs=1e-5)
    for asked in (
        session.explain_text(text, continuation=" dull"),
        session.explain_text(text, target=" dull"),
        session.explain_text(text, target=(numbers.shape[1] - 1, BYTES["Ġdull"])),
    ):
        assert (asked.target, asked.name) == ((numbers.shape[1] - 1, BYTES["Ġdull"]), "dull")
        assert asked.score == pytest.approx(float(logits[-1, BYTES["Ġdull"]]), abs=1e-5)
    assert [word.text for word in found.words] == ["film", "was"]


def test_a_score_of_a_text_has_its_name_and_its_value() -> None:
    score = fgcompile.scores.Difference("<b>", "dull")
    inputs = example("input_ids", "attention_mask", "token_type_ids")
    options: dict[str, Any] = {"rules": "libragrad", "labels": LABELS, "tokenizer": wordpiece()}
    artifact = fgcompile.compile(Classifier().eval(), inputs, target=score, **options)
    session = fgcompile.runtime.session.open_session(artifact.content, artifact.metadata, "difference")  # type: ignore[arg-type]
    found = session.explain_text("was dull")
    expected = [
        each.score for each in sorted(open_text("classifier").explain_text("was dull").top, key=lambda e: e.name)
    ]
    assert (found.name, found.target, found.top) == ("<b>bright</b> − dull", None, ())
    assert found.score == pytest.approx(expected[0] - expected[1], abs=1e-5)


def test_a_masked_word() -> None:
    """In the place of ``[MASK]``; where there is none, the tokenizer's end of a text is nothing to go on from."""
    artifact = fgcompile.compile(
        Tagger(len(VOCABULARY), len(VOCABULARY)).eval(),
        example("input_ids", "attention_mask", length=5),
        rules="libragrad",
        psi="signed",
        tokenizer=wordpiece(),
    )
    session = fgcompile.runtime.session.open_session(artifact.content, artifact.metadata, "masked")
    found = session.explain_text("was [MASK] film")
    given = torch.from_numpy(ids("[CLS]", "was", "[MASK]", "film", "[SEP]"))
    logits = Tagger(len(VOCABULARY), len(VOCABULARY)).eval()(given, torch.ones(given.shape))[0]
    assert found.target == (2, int(logits[2].argmax()))
    assert found.name == byte_or_word(int(logits[2].argmax()))
    assert session.explain_text("was [MASK] film", "joy").target == (2, VOCABULARY["joy"])
    with pytest.raises(InputError, match=r"ends a text in \[SEP\].*put \[MASK\]"):
        session.explain_text("was film a")
    with pytest.raises(InputError, match="2 words are masked"):
        session.explain_text("[MASK] a [MASK]")
    with pytest.raises(InputError, match="'dull' is 2 tokens"):
        session.explain_text("was [MASK] film", "dull")


def byte_or_word(number: int) -> str:
    word = next(word for word, each in VOCABULARY.items() if each == number)
    return word.removeprefix("##") if word not in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]") else word


def test_two_texts_by_a_model_of_two_inputs_and_by_embeddings() -> None:
    two = open_text("two")  # of 10 and 12 tokens
    found = two.explain_text(("the film", "a joy"))
    first, second = (torch.from_numpy(ids("[CLS]", *words, "[SEP]")) for words in (("the", "film"), ("a", "joy")))
    ones = torch.ones_like(first)
    expected = TwoTexts().eval()(first, ones, second, ones).detach()
    assert found.score == pytest.approx(float(expected[0, 0]), abs=1e-5)
    assert [(word.text, word.segment) for word in found.words] == [("the", 0), ("film", 0), ("a", 1), ("joy", 1)]
    assert all(word.score != 0 for word in found.words)
    similar = open_text("embedder").explain_text(("the film", "a joy"))
    vectors = [Embedder().eval()(each, ones)[0] for each in (first, second)]
    assert similar.score == pytest.approx(float(torch.cosine_similarity(*vectors, dim=0)), abs=1e-5)
    assert [(word.text, word.segment) for word in similar.words] == [("the", 0), ("film", 0), ("a", 1), ("joy", 1)]
    swapped = open_text("embedder").explain_text(("a joy", "the film"))
    assert [word.score for word in swapped.words] == pytest.approx(
        [word.score for word in (*similar.words[2:], *similar.words[:2])]
    )
    with pytest.raises(InputError, match="compares 2 texts"):
        two.explain_text("the film")


@pytest.mark.parametrize(
    ("kind", "text", "options", "message"),
    [
        ("classifier", "", {}, "empty"),
        ("classifier", 3, {}, "a text is int"),
        ("classifier", ("a", "b", "c"), {}, "3 segments"),
        ("classifier", "the film", {"target": "dul"}, None),
        ("classifier", "the film", {"target": "cat"}, "no class"),
        ("classifier", "the film", {"target": 2}, "out of range"),
        (
            "classifier",
            "the film",
            {"continuation": "dull"},
            "output is a class of the text; a continuation is for language",
        ),
        ("tagger", "the film", {"continuation": "dull"}, "output is no token that is to come; a continuation is for"),
        ("classifier", b"the film", {}, "a text is bytes: give a str"),
        ("tagger", "the " * 20, {}, "has 22 tokens, the artifact takes 12"),
        ("tagger", "the film", {"target": ("joy", 1)}, "no word 'joy'"),
        ("tagger", "the film", {"target": (9, 1)}, "no token 9"),
        ("classifier", ["The film was dull", " "], {}, r"^texts\[1\]: a text is empty"),
        ("language", "the film", {"continuation": " film"}, "is 2 tokens"),
        ("language", "the film", {"target": 1, "continuation": " dull"}, "target and continuation"),
        ("embedder", ("the", "film"), {"target": 1}, "leave the target out"),
    ],
)
def test_refusals_are_one_line(kind: str, text: object, options: dict[str, object], message: str | None) -> None:
    session = open_text(kind)
    if message is None:
        assert session.explain_text(text, **options).target == (0,)
        return
    with pytest.raises(InputError, match=message) as raised:
        session.explain_text(text, **options)
    assert "\n" not in str(raised.value)


def test_the_tokenizer_is_sealed_and_tied_to_the_metadata(tmp_path: Path) -> None:
    artifact = text_artifact("classifier")
    path = tmp_path / "text.onnx"
    artifact.save(path)
    content, metadata = read_artifact(path)
    kept = read_tokenizer(content, metadata, path)
    assert kept is not None
    assert fgcompile.load(path).tokenizer == kept
    assert pickle.loads(pickle.dumps(fgcompile.load(path))).explain_text("dull").words
    other = loads(dumps({**metadata, "tokenizer": {"digest": "sha256:0"}}), path)
    with pytest.raises(ArtifactError, match="no readable tokenizer"):
        read_tokenizer(content, other, path)
    with pytest.raises(ArtifactError, match="no readable tokenizer"):
        read_tokenizer(content, {**metadata, "format": "torchscript"}, path)


@pytest.mark.slow
def test_torchscript_keeps_it_too(tmp_path: Path) -> None:
    text_artifact("tagger", "torchscript").save(tmp_path / "text.pt")
    found = fgcompile.load(tmp_path / "text.pt").explain_text("Paris was dull", ("dull", "B-LOC"))
    expected = open_text("tagger").explain_text("Paris was dull", ("dull", "B-LOC"))
    np.testing.assert_allclose([word.score for word in found.words], [word.score for word in expected.words], atol=1e-5)


def test_artifacts_without_a_tokenizer_and_tokenizers_of_other_models() -> None:
    model, inputs = Embedder().eval(), example("input_ids", "attention_mask")
    artifact = fgcompile.compile(model, inputs, rules="libragrad", target=fgcompile.scores.Value(0))
    session = fgcompile.runtime.session.open_session(artifact.content, artifact.metadata, "without")
    with pytest.raises(InputError, match="keeps no tokenizer"):
        session.explain_text("the film")
    with pytest.raises(InputError, match=f"263 tokens, and 'input_ids' of the model takes {len(VOCABULARY)}"):
        fgcompile.compile(model, inputs, rules="libragrad", tokenizer=byte_level())
    with pytest.raises(InputError, match="takes 'x'"):
        fgcompile.compile(torch.nn.Linear(3, 2).eval(), torch.ones(2, 3), tokenizer=wordpiece())


@pytest.mark.parametrize("given", ["The film was dull", ("the film", "a joy"), {"input_ids": "the film"}])
def test_a_text_where_arrays_are_taken_is_told_where_texts_are(given: object) -> None:
    for call in (open_text("classifier").explain, open_text("classifier").predict):
        with pytest.raises(InputError, match=r"input_ids is a text.*: use explain_text, which reads texts"):
            call(given)
    artifact = fgcompile.compile(Embedder().eval(), example("input_ids", "attention_mask"), rules="libragrad")
    session = fgcompile.runtime.session.open_session(artifact.content, artifact.metadata, "without")
    with pytest.raises(InputError, match="keeps no tokenizer: give these, or compile it with its tokenizer"):
        session.explain(given)


def test_a_tokenizer_that_is_told_to_pad_is_a_way_out_for_short_texts() -> None:
    tokenizer = byte_level()
    tokenizer.enable_padding(pad_id=0, pad_token=tokenizer.id_to_token(0))
    model = Tagger(len(BYTES), 3).eval()
    artifact = fgcompile.compile(
        model, example("input_ids", "attention_mask", length=8), rules="libragrad", psi="signed", tokenizer=tokenizer
    )
    found = artifact.session().explain_text("film dull", (1, 2))
    numbers = torch.tensor([byte_level().encode("film dull").ids])
    assert numbers.shape[1] < 8
    assert found.score == pytest.approx(float(model(numbers, torch.ones(numbers.shape))[0, 1, 2].detach()), abs=1e-5)
    with pytest.raises(InputError, match=r"shorten it, or .*True, or with examples padded to as"):
        artifact.session().explain_text("film dull " * 3)


LONG = ("a", "joy", "##ous", "film", "was", "not", "du", "##ll", "in", "paris")


@pytest.mark.parametrize(("kind", "names"), [("embedder", ("input_ids", "attention_mask")), ("two", TWO)])
def test_two_texts_of_other_lengths(kind: str, names: tuple[str, ...]) -> None:
    """Of one shape the two would share a map, so that 7 and 9 tokens are not both made 6 to try others."""
    options: dict[str, Any] = {"rules": "libragrad", "psi": "signed", "dynamic_sizes": True, "tokenizer": wordpiece()}
    if kind == "embedder":
        options["target"] = fgcompile.scores.Similarity()
    model = Embedder() if kind == "embedder" else TwoTexts()
    artifact = fgcompile.compile(model.eval(), example(*names, length=9), **options)
    session = fgcompile.runtime.session.open_session(artifact.content, artifact.metadata, kind, threads=1)
    found = session.explain_text(("the film", "a joyous film was not dull in paris"))
    first, second = (torch.from_numpy(ids("[CLS]", *words, "[SEP]")) for words in (("the", "film"), LONG))
    vectors = [Embedder().eval()(each, torch.ones_like(each))[0] for each in (first, second)]
    alike = torch.cosine_similarity(*vectors, dim=0) if kind == "embedder" else (vectors[0] * vectors[1]).sum()
    assert found.score == pytest.approx(float(alike), abs=1e-5)
    swapped = session.explain_text(("a joyous film was not dull in paris", "the film"))
    assert [word.score for word in swapped.words] == pytest.approx(
        [word.score for word in (*found.words[2:], *found.words[:2])], abs=1e-6
    )
