"""Which artifacts for texts get a page, and what the command says of others before it writes anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fgcompile.errors import InputError
from fgcompile.page.site import TEXTS, page_files
from fgcompile.page.texts import require_texts_shown

IDS = {"name": "input_ids", "dtype": "int64", "shape": ["batch", "length"]}
MASK = {**IDS, "name": "attention_mask"}
TARGET = {"name": "target", "dtype": "int64", "shape": ["batch"]}
LOGITS = {"name": "logits", "dtype": "float32", "shape": ["batch", 2]}
MAP = {"name": "saliency", "dtype": "float32", "shape": ["batch", 1, "length"]}
METADATA = {
    "inputs": [IDS, MASK, TARGET],
    "outputs": [LOGITS, MAP],
    "target": "input",
    "target_axes": [{"name": "class", "size": 2}],
    "labels": None,
    "score_inputs": [],
}
TOKENIZER = {"model": {"type": "WordPiece"}, "normalizer": None, "pre_tokenizer": {"type": "Whitespace"}}
PATH = Path("text.onnx")


def require(metadata: dict[str, Any], tokenizer: dict[str, Any]) -> None:
    require_texts_shown({**METADATA, **metadata}, json.dumps({**TOKENIZER, **tokenizer}), PATH)  # type: ignore[typeddict-item]


def test_a_classifier_and_a_continuation_are_shown() -> None:
    require({}, {})
    tokens = {**IDS, "name": "tokens", "shape": ["batch", 2]}
    require({"target": "score", "score_inputs": ["tokens"], "inputs": [IDS, tokens], "outputs": [MAP]}, {})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": [IDS, {**IDS, "name": "pixels"}]}, "the artifact takes 'pixels' .* which no text says"),
        ({"outputs": [MAP]}, "does not return logits: compile it with them"),
        ({"outputs": [LOGITS]}, "has no map of 'input_ids'"),
        ({"targets": 3}, "explains several targets in a call"),
        ({"score_inputs": ["boxes"], "inputs": [IDS, {**IDS, "name": "boxes"}]}, "the artifact takes 'boxes'"),
        (
            {"target": "predicted", "inputs": [IDS], "outputs": [{**LOGITS, "shape": ["batch", "length", 2]}, MAP]},
            "chooses among the tokens by itself",
        ),
        ({"target_axes": [{"name": "a", "size": 2}, {"name": "b", "size": 3}]}, "takes targets of a, b"),
    ],
)
def test_artifacts_that_the_page_does_not_ask(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"text.onnx:? {message}"):
        require(changes, {})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"normalizer": {"type": "Sequence", "normalizers": [{"type": "Nmt"}]}}, "normalizer is Nmt"),
        ({"pre_tokenizer": {"type": "UnicodeScripts"}}, "pre_tokenizer is UnicodeScripts"),
        ({"model": {"type": "BPE", "dropout": 0.1}}, "drops merges at random"),
        ({"model": {"type": "BPE", "continuing_subword_prefix": "##"}}, "continuing_subword_prefix"),
        (
            {"post_processor": {"type": "Sequence", "processors": [{"type": "BertProcessing"}, {"type": "ByteLevel"}]}},
            "goes on after it has added tokens",
        ),
    ],
)
def test_tokenizers_that_the_page_does_not_read(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        require({}, changes)


def test_the_page_begins_with_its_own_entry_and_has_no_photos() -> None:
    files = page_files(TEXTS)
    assert list(files)[-1] == "index.html"
    assert files["index.html"].name == "text.html"
    assert "photo.js" not in files
    assert {"text/main.js", "artifact.js", "style.css"} <= set(files)
