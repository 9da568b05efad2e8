"""A model card as the Hub of Hugging Face has them: Markdown under a front matter of YAML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fgcompile.artifact.metadata import Metadata
from fgcompile.cli import facts
from fgcompile.system.text import visible

FOLDER = "maps"
"""Where the pictures of maps lie."""

PAPER = "https://arxiv.org/abs/1905.00780"
PLACEHOLDER = "NAME/MODEL"

_TAGS = ("fullgrad", "explainability", "saliency-map")
_SHOWN = 3
"""Classes beside a map."""


@dataclass(frozen=True)
class Card:
    """What a card is about.

    Attributes:
        artifact: The artifact's file name.
        metadata: What it says of itself.
        digests: Of its files, by what they are called.
        records: What ``explain`` found, a record for each photo or text.
        repository: The Hub's name of it, ``owner/name``.
        licence: The Hub's identifier, as ``apache-2.0``; None where it is not said.
    """

    artifact: str
    metadata: Metadata
    digests: Mapping[str, str]
    records: Sequence[Mapping[str, Any]]
    repository: str = PLACEHOLDER
    licence: str | None = None

    def text(self) -> str:
        """The file ``README.md``."""
        name = self.metadata["model"]["name"] if self.repository == PLACEHOLDER else self.repository.partition("/")[2]
        parts = [
            self._front_matter(),
            f"# {_escaped(name)}\n\n{self._introduction()}",
            *([f"## What it says, and why\n\n{self._maps()}"] if self.records else []),
            f"## Use\n\n{self._use()}",
            f"## What it is\n\n{self._facts()}",
        ]
        return "\n\n".join(parts) + "\n"

    def _front_matter(self) -> str:
        """Strings are written as JSON has them, which is YAML."""
        lines = ["library_name: fgcompile"]
        if task := task_of(self.metadata):
            lines.append(f"pipeline_tag: {task}")
        if self.licence is not None:
            lines.append(f"license: {json.dumps(self.licence)}")
        tags = (*_TAGS, *(["onnx"] if self.metadata["format"] == "onnx" else []))
        return "\n".join(["---", *lines, "tags:", *(f"- {tag}" for tag in tags), "---"])

    def _introduction(self) -> str:
        return (
            f"{_escaped(self.artifact)} predicts, and says in the same call why: it returns the logits and the "
            f"[FullGrad]({PAPER}) map of its input. Compiled by fgcompile {self.metadata['versions']['fgcompile']}."
        )

    def _facts(self) -> str:
        said = facts.everything(self.metadata, self.digests)
        return _table(("", ""), ((_escaped(key), _escaped(value)) for key, value in said.items()))

    def _maps(self) -> str:
        reading = (
            "Orange adds to the score, blue takes from it."
            if any(record.get("signed", self.metadata["psi"] == "signed") for record in self.records)
            else "The brighter, the larger the parts of the score that come from there; below a map is its scale."
        )
        rows = [_row(record) for record in self.records]
        return f"{reading}\n\n{_table(('', 'explained', 'score', 'surest'), rows)}"

    def _use(self) -> str:
        loading = [
            "import fgcompile",
            "from huggingface_hub import snapshot_download",
            "",
            f'folder = snapshot_download({json.dumps(self.repository)}, local_dir="model")',
            f"session = fgcompile.load(folder + {json.dumps('/' + self.artifact)})",
        ]
        inputs = ", ".join(facts.spec(spec) for spec in self.metadata["inputs"])
        if "tokenizer" in self.metadata:
            loading.append('found = session.explain_text("a text of yours")')
        elif self.metadata["preprocess"] is not None:
            loading += ['explanation = session.explain("photo.jpg")', "explanation[0].overlay()"]
        else:
            loading.append(f"explanation = session.explain(x)  # {inputs}")
        return "```python\n" + "\n".join(loading) + "\n```"


def task_of(metadata: Metadata) -> str | None:
    """The Hub's name of what it does, where that is sure: one class of several for a picture or a text."""
    from fgcompile.artifact.elements import output_axes

    axes = output_axes(metadata)
    if metadata["target"] == "score" or len(axes) != 1 or axes[0]["size"] == 1:
        return None
    if "tokenizer" in metadata:
        return "text-classification"
    return None if metadata["preprocess"] is None else "image-classification"


def _row(record: Mapping[str, Any]) -> tuple[str, ...]:
    if "text" in record:
        text = record["text"] if isinstance(record["text"], str) else " / ".join(record["text"])
        shown = _picture(text, record["picture"])
    else:
        shown = _picture(Path(record["image"]).name, record["overlay"])
    surest = ", ".join(f"{one['name']} {one['score']:.2f}" for one in record.get("top", [])[:_SHOWN])
    score = "" if record["score"] is None else f"{record['score']:.2f}"
    return shown, _escaped(str(record["name"])), score, _escaped(surest)


def _picture(what: str, path: str) -> str:
    return f"![{_escaped(what)}]({FOLDER}/{quote(Path(path).name)})"


def _table(head: Sequence[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of cells that are Markdown."""
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def _escaped(text: str) -> str:
    """Others' words in a line of Markdown, none of which is markup."""
    return re.sub(r"([\\`*_{}\[\]<>|~&$])", r"\\\1", visible(text))
