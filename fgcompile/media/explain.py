"""From photos to pictures of their explanations: what ``fgcompile explain`` does, one photo at a time."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fgcompile.artifact.questions import check_target
from fgcompile.errors import InputError, MissingPackageError
from fgcompile.media.images import photo_shape, read_photo
from fgcompile.media.overlay import draw_panel
from fgcompile.media.predictions import class_score, top_classes
from fgcompile.media.reading import DEFAULT, Reading
from fgcompile.runtime import Explanation, Session
from fgcompile.runtime.finite import describe_overflow
from fgcompile.system.files import make_directory, write_atomically
from fgcompile.system.text import brief, visible

NO_MAP = "this artifact does not compute a class's logits and map: compile it with both outputs"
"""What is wrong with an artifact that has no class to explain."""

NO_SALIENCY = "this artifact does not compute a map: compile it with saliency among its outputs"
"""What is wrong with an artifact that photos cannot be explained by."""

SCORE = "score"
"""What is explained by an artifact whose target is a function of the model's outputs."""


_LONGEST_NAME = 200
"""Bytes of a photo's name that go into the names of its files: 255 are what file systems allow."""


def explain_photos(  # noqa: PLR0913 - public: its keywords are the options
    session: Session,
    paths: Sequence[Path],
    directory: Path,
    *,
    target: int | None = None,
    npy: bool = False,
    reading: Reading = DEFAULT,
    report: Callable[[str], None] = lambda photo: None,
) -> list[dict[str, Any]]:
    """Explains each photo and writes its picture, and its map if wanted, into ``directory``.

    Args:
        session: An artifact with ``preprocess`` whose outputs include the saliency, and the logits of classes unless
            it explains a score.
        paths: The photos.
        directory: Created if need be. Files are named ``<photo>-explained.png`` and ``<photo>-saliency.npy``; where
            several photos bear one name, theirs are numbered.
        target: The explained class; None for the predicted one, or the artifact's own.
        npy: Whether to write each map, float32 ``(H, W)``, beside the picture.
        reading: What the photos' files do not say by themselves.
        report: Called with each photo's name as its turn comes.

    Returns:
        For each photo a record of ``image``, ``overlay``, ``saliency`` (with ``npy``), ``target``, ``name``, ``score``,
        ``top``, ``residual`` where the artifact computes it, ``warning`` where numbers overflowed; of one that cannot
        be read, ``image`` and ``error``. Of a score that was a function ``target`` is None, and so is ``score`` unless
        contributions and residual, which add up to it, are computed too.

    Raises:
        InputError: The target is out of range, or the artifact takes no photos.
        OutputError: The directory cannot be written.
    """
    shape = photo_shape(session.metadata)
    check_target(target, 1, session.metadata)
    make_directory(directory)
    records = []
    for path, name in zip(paths, _distinct_names(paths), strict=True):
        report(visible(path.name))
        try:
            photo = read_photo(path, shape, reading)
        except (InputError, MissingPackageError) as error:
            records.append({"image": str(path), "error": str(error)})
            continue
        explanation = session.explain(photo[np.newaxis], target)
        written = {"overlay": directory / f"{name}-explained.png"}
        if npy:
            written["saliency"] = directory / f"{name}-saliency.npy"
        record = _write(photo, explanation, session.metadata["labels"], written)
        records.append({"image": str(path), **{key: str(file) for key, file in written.items()}, **record})
    return records


def _write(
    photo: NDArray[np.uint8], explanation: Explanation, labels: Sequence[str] | None, files: Mapping[str, Path]
) -> dict[str, Any]:
    """Writes a photo's files, and says what they show."""
    record: dict[str, Any]
    if explanation.target is None and explanation.saliency is not None:
        saliency, record = explanation.saliency[0, 0], {"target": None, "name": SCORE, "score": _score(explanation)}
        record["top"] = []
    else:
        logits, saliency, explained_class = split(explanation, 0)
        explained = class_score(logits, explained_class, labels)
        record = {"target": explained.index, "name": explained.name, "score": explained.score}
        record["top"] = [vars(entry) for entry in top_classes(logits, labels)]
    value = "" if record["score"] is None else f"score {record['score']:.2f}"
    write_png(draw_panel(photo, saliency, record["name"], value), files["overlay"])
    if "saliency" in files:
        _write_npy(saliency, files["saliency"])
    shown = {} if explanation.logits is None else {"logits": explanation.logits[0]}
    if found := describe_overflow({**shown, "saliency": saliency}):
        record["warning"] = found
    if explanation.residual is not None:
        record["residual"] = float(explanation.residual[0])
    return record


def _score(explanation: Explanation) -> float | None:
    """The explained score of the first sample, if its terms are known: they and the residual add up to it."""
    if explanation.contributions is None or explanation.residual is None:
        return None
    return float(explanation.contributions[0].sum() + explanation.residual[0])


def split(explanation: Explanation, sample: int) -> tuple[NDArray[Any], NDArray[Any], int]:
    """One sample's logits (K,), its map (H, W), and the explained class.

    Raises:
        InputError: One of them is not there.
    """
    if explanation.logits is None or explanation.saliency is None or explanation.target is None:
        raise InputError(NO_SALIENCY if explanation.target is None else NO_MAP)
    return explanation.logits[sample], explanation.saliency[sample, 0], int(explanation.target[sample])


def write_png(image: Image.Image, path: Path) -> None:
    """Writes an image as PNG, whole or not at all."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    write_atomically(path, buffer.getvalue())


def _write_npy(saliency: NDArray[Any], path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, saliency)
    write_atomically(path, buffer.getvalue())


def _distinct_names(paths: Sequence[Path]) -> list[str]:
    """The photos' names without suffix; where one was taken already, with the next free number."""
    names: list[str] = []
    for path in paths:
        stem = brief(visible(path.stem), _LONGEST_NAME)
        name, number = stem, 1
        while name in names:
            number += 1
            name = f"{stem}-{number}"
        names.append(name)
    return names
