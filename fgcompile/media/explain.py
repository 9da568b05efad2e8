"""From photos to pictures of their explanations: what ``fgcompile explain`` does, one photo at a time."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fgcompile.errors import InputError
from fgcompile.media.images import photo_shape, read_photo
from fgcompile.media.overlay import draw_panel
from fgcompile.media.predictions import class_score, top_classes
from fgcompile.runtime import Explanation, Session
from fgcompile.system.files import make_directory, write_atomically

NO_MAP = "this artifact does not compute a class's logits and map: compile it with both outputs"
"""What is wrong with an artifact that photos cannot be explained by."""


def explain_photos(
    session: Session,
    paths: Sequence[Path],
    directory: Path,
    *,
    target: int | None = None,
    npy: bool = False,
    report: Callable[[str], None] = lambda photo: None,
) -> list[dict[str, Any]]:
    """Explains each photo and writes its picture, and its map if wanted, into ``directory``.

    Args:
        session: An artifact with ``preprocess`` whose outputs include the logits and the saliency.
        paths: The photos.
        directory: Created if need be. Files are named ``<photo>-explained.png`` and ``<photo>-saliency.npy``; where
            several photos bear one name, theirs are numbered.
        target: The explained class; None for the predicted one, or the artifact's own.
        npy: Whether to write each map, float32 ``(H, W)``, beside the picture.
        report: Called with each photo's name as its turn comes.

    Returns:
        For each photo a record of ``image``, ``overlay``, ``saliency`` (with ``npy``), ``target``, ``name``, ``score``,
        ``top`` and, where the artifact computes it, ``residual``.

    Raises:
        InputError: A photo cannot be read, the target is out of range, or the artifact takes no photos.
        OutputError: The directory cannot be written.
    """
    shape = photo_shape(session.metadata)
    labels = session.metadata["labels"]
    make_directory(directory)
    records = []
    for path, name in zip(paths, _distinct_names(paths), strict=True):
        report(path.name)
        photo = read_photo(path, shape)
        explanation = session.explain(photo[np.newaxis], target)
        logits, saliency, explained_class = split(explanation, 0)
        explained = class_score(logits, explained_class, labels)
        overlay = directory / f"{name}-explained.png"
        panel = draw_panel(photo, saliency, explained.name, f"score {explained.score:.2f}")
        write_png(panel, overlay)
        record: dict[str, Any] = {"image": str(path), "overlay": str(overlay)}
        if npy:
            record["saliency"] = str(directory / f"{name}-saliency.npy")
            _write_npy(saliency, directory / f"{name}-saliency.npy")
        record |= {"target": explained.index, "name": explained.name, "score": explained.score}
        record["top"] = [vars(entry) for entry in top_classes(logits, labels)]
        if explanation.residual is not None:
            record["residual"] = float(explanation.residual[0])
        records.append(record)
    return records


def split(explanation: Explanation, sample: int) -> tuple[NDArray[Any], NDArray[Any], int]:
    """One sample's logits (K,), its map (H, W), and the explained class.

    Raises:
        InputError: One of them is not there.
    """
    if explanation.logits is None or explanation.saliency is None or explanation.target is None:
        raise InputError(NO_MAP)
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
        name, number = path.stem, 1
        while name in names:
            number += 1
            name = f"{path.stem}-{number}"
        names.append(name)
    return names
