"""Which artifacts for texts the page can show, and which tokenizers it reads as the library ``tokenizers`` does."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.names import LOGITS
from fgcompile.errors import InputError
from fgcompile.text.inputs import IDS, find_inputs

PARTS: Mapping[str, frozenset[str]] = {
    "normalizer": frozenset(
        {"BertNormalizer", "Lowercase", "NFC", "NFD", "NFKC", "NFKD"}
        | {"Precompiled", "Prepend", "Replace", "Sequence", "Strip", "StripAccents"}
    ),
    "pre_tokenizer": frozenset(
        {"BertPreTokenizer", "ByteLevel", "Digits", "Metaspace", "Punctuation"}
        | {"Sequence", "Split", "Whitespace", "WhitespaceSplit"}
    ),
    "model": frozenset({"BPE", "Unigram", "WordLevel", "WordPiece"}),
    "post_processor": frozenset({"BertProcessing", "ByteLevel", "RobertaProcessing", "Sequence", "TemplateProcessing"}),
}
"""The parts of a ``tokenizer.json`` and the types of each that ``site/text`` reads."""

_INSIDE = ("normalizers", "pretokenizers", "processors")
_TRIMS = "ByteLevel"
_QUERY, _SCORE = "query", "score"


def require_texts_shown(metadata: Metadata, tokenizer: str, path: Path) -> None:
    """Passes an artifact that takes texts which the page can show.

    Raises:
        InputError: It cannot.
    """
    try:
        inputs = find_inputs(metadata)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    _require_one_question(metadata, path)
    outputs = {spec["name"] for spec in metadata["outputs"]}
    first = next((spec["name"] for spec in metadata["inputs"] if f"saliency.{spec['name']}" not in outputs), None)
    for specs in inputs.texts:
        name = specs[IDS]["name"]
        if f"saliency.{name}" not in outputs and not ("saliency" in outputs and name == first):
            raise InputError(f"{path} has no map of '{name}': compile it with saliency among its outputs")
    _require_read(json.loads(tokenizer), path)


def _require_one_question(metadata: Metadata, path: Path) -> None:
    """Passes artifacts of one target a call: a class, one at a token, or how alike two texts are."""
    logits = [spec for spec in metadata["outputs"] if spec["name"] == LOGITS]
    if metadata["target"] == _SCORE and _QUERY not in metadata["score_inputs"]:
        return
    if not logits:
        raise InputError(f"{path} does not return {LOGITS}: compile it with them among the outputs")
    if "targets" in metadata:
        raise InputError(f"{path} explains several targets in a call, and the page asks for one: compile it anew")
    axes = metadata.get("target_axes", [])
    if metadata["target"] != "input" and len(logits[0]["shape"]) > 2:
        raise InputError(
            f"{path} chooses among the tokens by itself, and may choose a pad: compile it with target=None"
        )
    if len(axes) > 2 or (len(axes) == 2 and "class" not in {axis["name"] for axis in axes} and not _labelled(metadata)):
        names = ", ".join(axis["name"] for axis in axes)
        raise InputError(f"{path} takes targets of {names}, and the page asks for a token and a class")


def _labelled(metadata: Metadata) -> bool:
    labels = metadata["labels"]
    sizes = [axis["size"] for axis in metadata.get("target_axes", [])]
    return labels is not None and sizes.count(len(labels)) == 1


def _require_read(tokenizer: Mapping[str, Any], path: Path) -> None:
    """Passes a tokenizer all of whose parts the page reads to the letter."""
    for part, known in PARTS.items():
        for settings in _flat(tokenizer.get(part)):
            kind = settings.get("type")
            if kind not in known:
                raise InputError(
                    f"{path} keeps a tokenizer whose {part} is {kind}, which the page does not read: use `fgcompile "
                    "explain`, or serve it with `fgcompile serve`"
                )
    model = tokenizer["model"]
    if model.get("dropout"):
        raise InputError(f"{path} keeps a tokenizer that drops merges at random: set its dropout to null")
    if model["type"] == "BPE" and model.get("continuing_subword_prefix"):
        raise InputError(f"{path} keeps a BPE tokenizer with a continuing_subword_prefix, which the page does not read")
    steps = (tokenizer.get("post_processor") or {}).get("processors", [])
    if any(step["type"] != _TRIMS for step in steps[:-1]):
        raise InputError(
            f"{path} keeps a tokenizer that goes on after it has added tokens, which the page does not read"
        )


def _flat(settings: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    """A part of a tokenizer, and the parts that it is made of."""
    if settings is None:
        return
    yield settings
    for name in _INSIDE:
        for inner in settings.get(name, []):
            yield from _flat(inner)
