"""An artifact as a folder for the Hub of Hugging Face, with a model card that shows its maps: ``card``."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from fgcompile.artifact.file import digest_of, read_artifact, weights_file
from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.onnx_container import find_beside
from fgcompile.cli import facts, model_card, terminal
from fgcompile.cli.arguments import parse_reading
from fgcompile.cli.explaining import Explained, Given, explain_given
from fgcompile.cli.parameters import (
    ArtifactArgument,
    BackgroundOption,
    ContinuationOption,
    FilesOption,
    FittingOption,
    MaxPixelsOption,
    PageOption,
    PairsOption,
    ProviderOption,
    QuietOption,
    TargetOption,
    TextsOption,
    TrustOption,
    VerboseOption,
    WindowOption,
)
from fgcompile.errors import InputError, OutputError
from fgcompile.pictures.reading import MAX_PIXELS
from fgcompile.system.files import make_directory, write_atomically, write_together

CARD, LABELS, PREPROCESSING = "README.md", "labels.txt", "preprocessing.json"


def card(
    artifact: ArtifactArgument,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="The folder to write.")],
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="IMAGE|FOLDER|ARRAY|TEXT…",
            help="Whose maps the card shows: photos, or arrays as .npy where it takes none; texts where it keeps a "
            "tokenizer.",
        ),
    ] = None,
    repository: Annotated[
        str, typer.Option("--repo", metavar="OWNER/NAME", help="What it is called on the Hub.")
    ] = model_card.PLACEHOLDER,
    licence: Annotated[
        str | None, typer.Option("--license", metavar="ID", help="Of the weights, as the Hub calls it: apache-2.0.")
    ] = None,
    target: TargetOption = None,
    texts: TextsOption = None,
    files: FilesOption = None,
    pairs: PairsOption = False,
    continuation: ContinuationOption = None,
    fit: FittingOption = None,
    window: WindowOption = None,
    background: BackgroundOption = "white",
    page: PageOption = 1,
    max_pixels: MaxPixelsOption = MAX_PIXELS,
    providers: ProviderOption = None,
    trust: TrustOption = False,
    _quiet: QuietOption = False,
    _verbose: VerboseOption = False,
) -> None:
    """Write a folder for the Hub of Hugging Face: the artifact, its labels, and a model card that shows its maps.

    Exit status 1 if a photo or text is left out of it, which cannot be explained.
    """
    if re.fullmatch(r"[\w.-]+/[\w.-]+", repository) is None:
        raise InputError(f"--repo {repository}: give the owner and the name on the Hub, as jane/garments")
    if licence is not None and re.fullmatch(r"[\w.+-]+", licence) is None:
        raise InputError(f"--license {licence}: give the Hub's name of a licence, as apache-2.0, mit or other")
    if (output / CARD).exists():
        raise OutputError(
            f"{output / CARD} is there already, and may have been edited: give another folder, or delete it"
        )
    reading = parse_reading(window, background, page, max_pixels, fit)
    given = Given(inputs or [], reading, files or [], texts or [], pairs, continuation, target)
    content, metadata = read_artifact(artifact)
    with terminal.progress("explaining") as report, tempfile.TemporaryDirectory() as folder:
        found = Explained([], metadata, False)
        if inputs or files or texts:
            found = explain_given(artifact, given, Path(folder), output, (providers, trust), report)
        else:
            _require_unasked(given)
        records, left_out = _parted(found.records)
        make_directory(output)
        _copy(artifact, content, metadata, output)
        for path in _pictures(records):
            make_directory(output / model_card.FOLDER)
            write_atomically(output / model_card.FOLDER / path.name, path.read_bytes())
    _describe(metadata, output)
    written = model_card.Card(artifact.name, metadata, _digests(content, metadata), records, repository, licence)
    write_atomically(output / CARD, written.text().encode("utf-8", "replace"))
    terminal.print_line(f"{output}: say in {CARD} what the model was trained on, then: hf upload {repository} {output}")
    terminal.tell_passed_over(found.passed_over)
    for error in left_out:
        terminal.print_line(f"left out of the card: {error}")
    if left_out:
        raise typer.Exit(1)


def _require_unasked(given: Given) -> None:
    """Refuses options that say how to explain where there is nothing to explain."""
    if given != Given([]):
        raise InputError(
            "the options say how to explain photos or texts, and none are given: give some, or leave them out"
        )


def _parted(found: Sequence[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """What was explained, and why the others were not.

    Raises:
        InputError: Nothing was.
    """
    errors = [record["error"] for record in found if "error" in record]
    if errors and len(errors) == len(found):
        raise InputError(errors[0])
    return [record for record in found if "error" not in record], errors


def _pictures(records: Sequence[Mapping[str, Any]]) -> list[Path]:
    return [Path(record["picture" if "text" in record else "overlay"]) for record in records]


def _copy(artifact: Path, content: bytes, metadata: Metadata, output: Path) -> None:
    """The artifact under its own name, and weights that lie beside it under theirs."""
    weights = weights_file(content, metadata, artifact)
    if weights is None:
        write_atomically(output / artifact.name, content)
    else:
        write_together(output / artifact.name, content, weights.name, weights)


def _describe(metadata: Metadata, output: Path) -> None:
    """Its labels, a name a line, and what it does to pictures, for programs that read no artifacts."""
    if metadata["labels"] is not None:
        lines = "".join(f"{label}\n" for label in metadata["labels"])
        write_atomically(output / LABELS, lines.encode("utf-8", "replace"))
    if metadata["preprocess"] is not None:
        described = {"input": metadata["inputs"][0], **metadata["preprocess"], "described": facts.preprocess(metadata)}
        text = json.dumps(described, indent=2, ensure_ascii=False) + "\n"
        write_atomically(output / PREPROCESSING, text.encode("utf-8", "replace"))


def _digests(content: bytes, metadata: Metadata) -> dict[str, str]:
    beside = find_beside(content) if metadata["format"] == "onnx" else None
    return {"digest": digest_of(content), **facts.beside(beside)}
