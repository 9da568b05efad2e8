"""What ``explain`` and ``card`` have in common: photos, arrays or texts, how they are read, and their records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fgcompile.artifact.metadata import Metadata
from fgcompile.cli.paths import require_files
from fgcompile.cli.photos import find_photos
from fgcompile.errors import InputError
from fgcompile.pictures.reading import DEFAULT, Reading

_OF_PHOTOS_ALONE = ("box", "overlay")


@dataclass(frozen=True)
class Given:
    """What is to be explained.

    Attributes:
        inputs: Photos, or arrays where the artifact takes none, folders and patterns; of an artifact with a tokenizer
            texts, and files of them.
        reading: How pictures are read.
        files: Files of texts.
        texts: Further texts.
        pairs: Whether each text is two.
        continuation: What a language model is asked to go on with.
        target: What is explained.
        of_photos: Further options that texts do not have, by the keywords of ``explain_photos``.
    """

    inputs: Sequence[str]
    reading: Reading = DEFAULT
    files: Sequence[Path] = field(default_factory=list)
    texts: Sequence[str] = field(default_factory=list)
    pairs: bool = False
    continuation: str | None = None
    target: str | None = None
    of_photos: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Explained:
    """What was explained.

    Attributes:
        records: For each photo or text, as ``explain_photos`` and ``explain_and_draw`` have them.
        metadata: The artifact's.
        texts: Whether it takes texts.
        passed_over: Pictures in folders that fgcompile wrote.
    """

    records: list[dict[str, Any]]
    metadata: Metadata
    texts: bool
    passed_over: int = 0


def explain_given(
    artifact: Path,
    given: Given,
    folder: Path,
    output: Path,
    runtime: tuple[list[str] | None, bool],
    report: Callable[[str], None],
) -> Explained:
    """Explains photos, arrays or texts, whichever the artifact takes.

    Args:
        artifact: The artifact.
        given: What is explained.
        folder: Where pictures are written.
        output: What is written to in the end, where no photos are looked for.
        runtime: Providers, and whether code is trusted.
        report: Called with each one's name as its turn comes.

    Raises:
        InputError: There is nothing to explain, or an option is of other artifacts.
    """
    from fgcompile.media.arrays import explain_arrays, takes_arrays
    from fgcompile.media.explain import explain_photos
    from fgcompile.media.texts import explain_and_draw, read_texts
    from fgcompile.runtime import load
    from fgcompile.runtime.rehearsal import require_sound

    require_files({"--file": given.files})
    providers, trust = runtime
    require_sound(artifact, providers, trust=trust)
    session = load(artifact, providers, trust=trust or None)
    if session.tokenizer is not None:
        if given.of_photos.get("targets") is not None or given.of_photos.get("top") is not None:
            raise InputError("several targets are not done for texts: ask one by one with --target")
        _refuse("photos", {**given.of_photos, **_read_otherwise(given.reading)})
        texts = read_texts(given.inputs, given.files, given.pairs, given.texts)
        records = explain_and_draw(session, texts, folder, given.target, given.continuation, report)
        return Explained(records, session.metadata, True)
    own = {"text": given.texts, "file": given.files, "pairs": given.pairs, "continuation": given.continuation}
    _refuse("texts", own)
    if not given.inputs:
        raise InputError("there is nothing to explain: give one picture or more, or arrays where no pictures are taken")
    arrays = takes_arrays(session.metadata)
    if arrays and (folders := [each for each in given.inputs if Path(each).is_dir()]):
        raise InputError(f"{folders[0]} is a folder, and arrays go by name: give '{Path(folders[0]) / '*.npy'}'")
    files, passed_over = find_photos(given.inputs, output)
    if arrays:
        alone = {name: given.of_photos[name] for name in _OF_PHOTOS_ALONE if name in given.of_photos}
        _refuse("photos", {**alone, **_read_otherwise(given.reading)})
        others = {name: value for name, value in given.of_photos.items() if name not in alone}
        records = explain_arrays(session, files, folder, target=given.target, report=report, **others)
    else:
        records = explain_photos(
            session, files, folder, target=given.target, reading=given.reading, report=report, **given.of_photos
        )
    return Explained(records, session.metadata, False, passed_over)


def _refuse(what: str, options: Mapping[str, object]) -> None:
    """Refuses options that are of other artifacts."""
    said = {
        name for name, value in options.items() if value is not None and value is not False and value not in ([], ())
    }
    given = [f"--{name.replace('_', '-')}" for name in options if name in said]
    if given:
        raise InputError(f"{' and '.join(given)}: only for artifacts of {what}, which this is not")


def _read_otherwise(reading: Reading) -> dict[str, object]:
    """Those of the options of reading that say something."""
    return {name: value for name, value in vars(reading).items() if value != getattr(DEFAULT, name)}
