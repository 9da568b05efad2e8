"""From texts to a page and pictures of their explanations: what ``fgcompile explain`` does of an artifact for texts."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from fgcompile.artifact.regular import read_regular
from fgcompile.errors import InputError
from fgcompile.runtime import Session
from fgcompile.system.files import make_directory
from fgcompile.system.text import visible
from fgcompile.text.drawn.files import write_all, write_text
from fgcompile.text.encoding import Text
from fgcompile.text.questions import TextTarget

_SUFFIX = ".txt"
_SHOWN = 40


def read_texts(
    given: Sequence[str], files: Sequence[Path] = (), pairs: bool = False, literal: Sequence[str] = ()
) -> list[Text]:
    """The texts that are meant.

    Args:
        given: Texts; what ends in ``.txt`` is a file of them, one a line.
        files: Further files of texts, whatever they are called; theirs come last.
        pairs: Whether each has two segments, with a tab between them.
        literal: Further texts, whatever is called so.

    Raises:
        InputError: A file cannot be read; what is given is another file, or a folder; there are none; of pairs one
            has another number of tabs.
    """
    for one in given:
        _require_no_file(one)
    texts = [text for one in given for text in (_of_file(one) if one.endswith(_SUFFIX) else [one])]
    texts += [*literal, *(text for path in files for text in _lines(path))]
    if not texts:
        raise InputError("there are no texts: give one, or a file of them, one a line")
    if not pairs:
        return list(texts)
    split = [tuple(text.split("\t")) for text in texts]
    for text, segments in zip(texts, split, strict=True):
        if len(segments) != 2:
            raise InputError(f"{visible(text[:_SHOWN])!r} is no pair: put one tab between the two texts")
    return list(split)


def _require_no_file(given: str) -> None:
    """Refuses the path of something that is no file of texts, which would be explained as if it were a sentence."""
    folder, text = os.path.isdir(given), visible(given)
    if folder:
        raise InputError(
            f"{text} is a folder, and this artifact takes texts: give --file for each file of them, or for this word "
            f"--text {shlex.quote(text)}"
        )
    if os.path.exists(given) and not given.endswith(_SUFFIX):
        raise InputError(
            f"{text} is a file, and this artifact takes texts: give --file {shlex.quote(text)} for what it holds, a "
            f"text a line, or for this word --text {shlex.quote(text)}"
        )


def _of_file(given: str) -> list[str]:
    """The texts of a file that ends as such do; a sentence may, too."""
    try:
        return _lines(Path(given))
    except InputError as error:
        raise InputError(f"{error}, or if it is a text --text {shlex.quote(visible(given))}") from error


def _lines(path: Path) -> list[str]:
    try:
        return [line for line in read_regular(path).decode("utf-8-sig").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8"
        raise InputError(f"{visible(str(path))}: cannot be read as texts ({reason}): give a UTF-8 file") from error


def explain_and_draw(
    session: Session,
    texts: Sequence[Text],
    directory: Path,
    target: TextTarget = None,
    continuation: str | None = None,
    report: Callable[[str], None] = lambda text: None,
) -> list[dict[str, Any]]:
    """Explains each text, and writes one page and one JSON of all, and a picture of each, into ``directory``.

    Args:
        session: An artifact that keeps a tokenizer.
        texts: The texts.
        directory: Created if need be. Files are ``explained.html``, ``explained.json`` and ``text-1.png``, ….
        target: As for ``Session.explain_text``.
        continuation: As there.
        report: Called with the beginning of each text as its turn comes.

    Returns:
        For each text a record: what ``TextExplanation.as_dict`` has, and ``page`` and ``picture``; of one that cannot
        be explained, ``text`` and ``error``.

    Raises:
        InputError: The artifact keeps no tokenizer.
        OutputError: The directory cannot be written.
    """
    if session.tokenizer is None:
        raise InputError("the artifact keeps no tokenizer: compile it with one, --tokenizer PATH")
    make_directory(directory)
    explained, records = [], []
    for number, text in enumerate(texts, start=1):
        report(visible((text if isinstance(text, str) else text[0])[:_SHOWN]))
        try:
            found = session.explain_text(text, target, continuation)
        except InputError as error:
            records.append({"text": text if isinstance(text, str) else list(text), "error": str(error)})
            continue
        records.append(write_text(found, number, directory))
        explained.append(found)
    write_all(explained, records, directory, f"{session.metadata['model']['name']}: what each word adds")
    return records
