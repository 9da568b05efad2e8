"""The page for texts in headless Chromium: what ``Session.explain_text`` says, and its errors in its words."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any, cast

import pytest

import fgcompile
from benchmarks.serving.chromium import PACKAGES, SOFTWARE_WEBGPU, Page, missing, open_page
from fgcompile.artifact.metadata import Metadata
from fgcompile.errors import InputError
from fgcompile.page.local import HOST, open_server
from fgcompile.page.site import TEXTS, write_page
from fgcompile.runtime.session import open_session
from fgcompile.scores import Continuation, Token
from fgcompile.text.drawn.colours import scale_of, stretches
from fgcompile.text.drawn.page import draw_page, number_of
from fgcompile.text.explanation import TextExplanation
from tests.support.texts import (
    BYTES,
    VOCABULARY,
    Classifier,
    Tagger,
    byte_level,
    example,
    open_text,
    text_artifact,
    wordpiece,
)
from tests.support.tiny_artifacts import onnx_artifact

if reason := missing():
    pytest.skip(reason, allow_module_level=True)

TEXTS_TRIED = ("It's dull.", "The film was not dull, joyous in Paris", "naïve 日本 👍🏽 <b>&joy</b>", "  a\n joy  ")


@cache
def masked() -> fgcompile.Artifact:
    """A masked language model, on demand, for texts of 5 tokens."""
    model = Tagger(len(VOCABULARY), len(VOCABULARY)).eval()
    inputs = example("input_ids", "attention_mask", length=5)
    return fgcompile.compile(model, inputs, rules="libragrad", psi="signed", tokenizer=wordpiece(), on_demand=True)


@cache
def continued(score: object) -> fgcompile.Artifact:
    """A language model of bytes and a score of what comes behind a text."""
    model = Tagger(len(BYTES), len(BYTES), causal=True).eval()
    inputs = example("input_ids", "attention_mask", words=len(BYTES))
    options: dict[str, Any] = {"rules": "libragrad", "psi": "signed", "dynamic_sizes": True, "target": score}
    outputs = ("logits", "saliency", "contributions", "residual")
    return fgcompile.compile(model, inputs, tokenizer=byte_level(), outputs=outputs, **options)


@cache
def bytes_classifier() -> fgcompile.Artifact:
    """A classifier of bytes, unsigned, of a fixed class."""
    tokenizer = byte_level()
    size = tokenizer.get_vocab_size()
    inputs = example("input_ids", "attention_mask", "token_type_ids", words=size)
    model = Classifier(size, 3).eval()
    return fgcompile.compile(model, inputs, rules="libragrad", tokenizer=tokenizer, target=2, dynamic_sizes=True)


def session_of(artifact: fgcompile.Artifact) -> fgcompile.Session:
    return open_session(artifact.content, cast(Metadata, artifact.metadata), "made here", threads=1)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The page beside the classifier."""
    path = tmp_path_factory.mktemp("made") / "classifier.onnx"
    text_artifact("classifier").save(path)
    with open_page(tmp_path_factory.mktemp("page"), path, page=TEXTS) as opened:
        assert "classifier" in opened.do("look")["status"].lower()
        yield opened


def choose(page: Page, artifact: fgcompile.Artifact, tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "chosen.onnx"
    artifact.save(path)
    return page.do("choose", file=path)


def compare(found: dict[str, Any], expected: TextExplanation) -> None:
    """What the page shows is what the session says, and colours and numbers are the gallery's."""
    assert found["texts"] == list(expected.texts)
    assert found["read"] == list(expected.texts)
    for mine, token in zip(found["tokens"], expected.tokens, strict=True):
        same = ("text", "piece", "id", "start", "end", "segment", "unknown")
        assert [mine[name] for name in same] == [getattr(token, name) for name in same]
        assert mine["score"] == pytest.approx(token.score, abs=1e-5)
    for mine, word in zip(found["words"], expected.words, strict=True):
        same = ("text", "start", "end", "segment", "tokens")
        assert [mine[name] for name in same] == [getattr(word, name) for name in same[:-1]] + [list(word.tokens)]
        assert mine["score"] == pytest.approx(word.score, abs=1e-5)
    assert found["name"] == expected.name
    assert found["score"] == pytest.approx(expected.score, abs=1e-5)
    assert found.get("target") == (None if expected.target is None else list(expected.target))
    assert found["padding"] == pytest.approx(expected.padding, abs=1e-5)
    scale = scale_of(expected)
    parts = [part for segment in range(len(expected.texts)) for part in stretches(expected, segment) if part.tokens]
    assert [float(strength) for _, strength in found["colours"]] == pytest.approx(
        [scale.strength(part.score) for part in parts], abs=2e-3
    )
    assert found["legend"][-1] == number_of(scale.most, expected.signed)
    assert ["unknown" in name.split() for name, _ in found["colours"]] == [part.unknown for part in parts]
    assert found["titles"] == [unescape(title) for title in re.findall(r' title="([^"]*)"', draw_page([expected], ""))]


def explained(page: Page, *texts: str) -> dict[str, Any]:
    seen = page.do("write", texts=texts)
    assert seen["error"] == ""
    return page.do("words")


def test_a_classifier_with_wordpieces(page: Page, tmp_path: Path) -> None:
    session = open_text("classifier")
    choose(page, text_artifact("classifier"), tmp_path)
    for text in TEXTS_TRIED:
        compare(explained(page, text), session.explain_text(text))
    for target, name in enumerate(("dull", "<b>bright</b>")):
        seen = page.do("explain", name=name)
        assert seen["caption"].startswith(name)
        compare(page.do("words"), session.explain_text(TEXTS_TRIED[-1], target))


def test_two_segments(page: Page, tmp_path: Path) -> None:
    choose(page, text_artifact("classifier"), tmp_path)
    found = explained(page, "the film", "not dull")
    compare(found, open_text("classifier").explain_text(("the film", "not dull")))
    assert found["residual"] == pytest.approx(0, abs=1e-5)


def test_a_classifier_of_bytes_and_of_a_fixed_class(page: Page, tmp_path: Path) -> None:
    choose(page, bytes_classifier(), tmp_path)
    session = session_of(bytes_classifier())
    for text in TEXTS_TRIED:
        compare(explained(page, text), session.explain_text(text))
    assert page.do("look")["choosable"] == 0
    assert page.do("words")["legend"][0] == "0"


def test_a_tagger_is_asked_by_a_click(page: Page, tmp_path: Path) -> None:
    session = open_text("tagger")
    choose(page, text_artifact("tagger"), tmp_path)
    compare(explained(page, "Paris was dull"), session.explain_text("Paris was dull"))
    page.do("point", word=0)
    compare(page.do("words"), session.explain_text("Paris was dull", target=("Paris", "predicted")))
    page.do("explain", name="B-LOC")
    compare(page.do("words"), session.explain_text("Paris was dull", target=("Paris", "B-LOC")))


def test_a_language_model_of_bytes(page: Page, tmp_path: Path) -> None:
    session = open_text("language")
    choose(page, text_artifact("language"), tmp_path)
    for text in ("film was", "naïve 日本"):
        compare(explained(page, text), session.explain_text(text))
    seen = page.do("explain", name="dull")
    assert seen["classes"][0] == "dull"
    compare(page.do("words"), session.explain_text("naïve 日本", continuation=" dull"))


@pytest.mark.slow
def test_how_likely_a_continuation_is(page: Page, tmp_path: Path) -> None:
    artifact = continued(Continuation(2))
    choose(page, artifact, tmp_path)
    expected = session_of(artifact).explain_text("film was", continuation=" dulls")
    compare(explained(page, "film was", " dulls"), expected)
    assert "how likely a continuation is: give one" in page.do("write", texts=["film was"])["error"]
    assert "3 tokens, the artifact takes 2" in page.do("write", texts=["film was", " dullst"])["error"]
    assert "begin the continuation where a token begins" in page.do("write", texts=["fil", "m a"])["error"]


@pytest.mark.slow
def test_the_token_behind_a_text(page: Page, tmp_path: Path) -> None:
    artifact = continued(Token(None, None))
    choose(page, artifact, tmp_path)
    session = session_of(artifact)
    compare(explained(page, "film was", " dull"), session.explain_text("film was", continuation=" dull"))
    compare(explained(page, "film was"), session.explain_text("film was"))


def test_a_masked_word(page: Page, tmp_path: Path) -> None:
    session = session_of(masked())
    choose(page, masked(), tmp_path)
    compare(explained(page, "was [MASK] film"), session.explain_text("was [MASK] film"))
    page.do("explain", name="joy")
    compare(page.do("words"), session.explain_text("was [MASK] film", "joy"))


@pytest.mark.parametrize("kind", ["two", "embedder"])
def test_two_texts_are_compared(page: Page, tmp_path: Path, kind: str) -> None:
    choose(page, text_artifact(kind), tmp_path)
    compare(explained(page, "the film", "a joy"), open_text(kind).explain_text(("the film", "a joy")))


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        ("tagger", ("the film was not dull dull dull dull",)),
        ("classifier", ("   ",)),
        ("classifier", ("\u200b",)),
        ("masked", ("was film",)),
        ("masked", ("[MASK] a [MASK]",)),
        ("two", ("the film", " ")),
    ],
)
def test_texts_that_are_refused(page: Page, tmp_path: Path, kind: str, texts: Sequence[str]) -> None:
    """In the session's words, so far as they are not about Python."""
    artifact = masked() if kind == "masked" else text_artifact(kind)
    choose(page, artifact, tmp_path)
    with pytest.raises(InputError) as raised:
        session_of(artifact).explain_text(tuple(texts) if len(texts) > 1 else texts[0])
    said = page.do("write", texts=texts)["error"]
    assert said
    assert str(raised.value).split(", or give target")[0].split(": give a tuple")[0] in said


def test_artifacts_that_are_none_of_texts(page: Page, tmp_path: Path) -> None:
    (tmp_path / "arrays.onnx").write_bytes(onnx_artifact())
    assert "keeps no tokenizer" in page.do("choose", file=tmp_path / "arrays.onnx")["error"]
    (tmp_path / "none.onnx").write_bytes(b"no artifact")
    assert "not an fgcompile artifact" in page.do("choose", file=tmp_path / "none.onnx")["error"]


def test_a_page_that_was_written_talks_to_nobody(tmp_path: Path) -> None:
    text_artifact("classifier").save(tmp_path / "text.onnx")
    write_page(tmp_path / "text.onnx", tmp_path / "site", PACKAGES)
    with open_server(tmp_path / "site", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with closing(Page(f"http://{HOST}:{server.server_port}/")) as page:
            compare(explained(page, "It's dull."), open_text("classifier").explain_text("It's dull."))
            page.do("screenshot", path=tmp_path / "phone.jpg", width=390, height=844)
            width = page.do("width")
            traffic, status = page.do("traffic"), page.do("look")["status"]
        server.shutdown()
    assert f"WebAssembly, {os.cpu_count()} thread" in status  # which other servers do not let it have
    assert width <= 390
    assert traffic["complaints"] == []
    assert len({request.split("/")[2] for request in traffic["requests"] if request.startswith("http")}) == 1


@pytest.mark.slow
def test_texts_on_webgpu(tmp_path: Path) -> None:
    text_artifact("classifier").save(tmp_path / "text.onnx")
    (tmp_path / "page").mkdir()
    with open_page(tmp_path / "page", tmp_path / "text.onnx", SOFTWARE_WEBGPU, page=TEXTS) as page:
        if "WebGPU" not in page.do("look")["status"]:
            pytest.skip("needs a Chromium with a WebGPU adapter")
        compare(explained(page, "It's dull."), open_text("classifier").explain_text("It's dull."))
