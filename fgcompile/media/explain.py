"""From photos to pictures of their explanations: what ``fgcompile explain`` does, one photo at a time."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fgcompile.artifact.elements import best_elements, element_score
from fgcompile.artifact.fitting import fit_of
from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.wishes import Wish
from fgcompile.errors import InputError, MissingPackageError
from fgcompile.media.asking import Answer, Question, Reply, ask, choose
from fgcompile.media.boxes import Boxes, boxes_in, read_boxes
from fgcompile.media.comparison import Shown, draw_comparison
from fgcompile.media.images import in_whole_steps, photo_shape, read_photo, read_unfitted, require_any_size
from fgcompile.media.marks import NONE, Marks, marks_of
from fgcompile.media.overlay import draw_panel
from fgcompile.media.reading import DEFAULT, TILE, WHOLE, Reading
from fgcompile.media.signed import is_signed
from fgcompile.media.tiles import ask_tiles, reduced, require_tiles
from fgcompile.runtime import Session
from fgcompile.runtime.finite import describe_overflow
from fgcompile.system.files import make_directory, write_atomically
from fgcompile.system.leftovers import new_partial
from fgcompile.system.text import brief, visible

_LONGEST_NAME = 200
"""Bytes of a photo's name that go into the names of its files: 255 are what file systems allow."""


def explain_photos(  # noqa: PLR0913 - public: its keywords are the options
    session: Session,
    paths: Sequence[Path],
    directory: Path,
    *,
    target: Wish = None,
    targets: str | Sequence[Wish] | None = None,
    top: int | None = None,
    box: str | None = None,
    npy: bool = False,
    reading: Reading = DEFAULT,
    report: Callable[[str], None] = lambda photo: None,
) -> list[dict[str, Any]]:
    """Explains each photo and writes its picture, and its map if wanted, into ``directory``.

    Args:
        session: An artifact with ``preprocess`` whose outputs include the saliency.
        paths: The photos.
        directory: Created if need be. Files are named ``<photo>-explained.png`` and ``<photo>-saliency.npy``; where
            several photos bear one name, theirs are numbered.
        target: The explained class by its number or its name; of an output of more axes an index for each, ``(2, 40,
            31)`` or ``"cat,40,31"``, −1 for the largest that the others leave. None for the predicted one, or the
            artifact's own.
        targets: Several of them, side by side in one picture on one scale; a text has them separated by ``;`` or,
            classes, by commas.
        top: So many of the best classes instead; of an output of more axes those at the place of the largest.
        box: Which output holds a detector's boxes, and how (``fgcompile.media.boxes``).
        npy: Whether to write each map, float32 ``(H, W)``, beside the picture; several are ``(T, H, W)``.
        reading: What the photos' files do not say by themselves.
        report: Called with each photo's name as its turn comes.

    Returns:
        For each photo a record of ``image``, ``overlay``, ``saliency`` (with ``npy``), ``target``, ``name``, ``score``,
        ``top``, ``residual`` where the artifact computes it, ``warning`` where numbers overflowed; of one that cannot
        be read, ``image`` and ``error``. Of several targets these are in ``explained``, a list. Of an output of more
        axes ``target`` is a list. Of a score that was a function ``target`` is None, and so is ``score`` unless
        contributions and residual, which add up to it, are computed too.

    Raises:
        InputError: The target is out of range, or the artifact takes no photos.
        OutputError: The directory cannot be written.
    """
    question, boxes = choose(session.metadata, target, targets, top), read_boxes(box)
    metadata = session.metadata
    best_ones = metadata["target"] == "predicted" and "targets" in metadata
    several = targets is not None or top is not None or best_ones
    shape, fit = photo_shape(metadata), fit_of(metadata["preprocess"])
    if boxes is not None:
        boxes.require(session.metadata)
    if reading.fit == WHOLE:
        require_any_size(metadata)
    if reading.fit == TILE:
        require_tiles(metadata)
        if boxes is not None:
            raise InputError("--box and --fit tile: a box lies in one tile; give one of them")
    make_directory(directory)
    records = []
    for path, name in zip(paths, _distinct_names(paths), strict=True):
        report(visible(path.name))
        written = {"overlay": directory / f"{name}-explained.png"}
        if npy:
            written["saliency"] = directory / f"{name}-saliency.npy"
        try:
            if reading.fit == TILE:
                record = _in_tiles(session, read_unfitted(path, shape[2], reading), question, written, several, report)
                records.append({"image": str(path), **{key: str(file) for key, file in written.items()}, **record})
                continue
            photo = (
                in_whole_steps(read_unfitted(path, shape[2], reading), metadata, fit)
                if reading.fit == WHOLE
                else read_photo(path, shape, reading, fit)
            )
        except (InputError, MissingPackageError) as error:
            named = str(error) if visible(path.name) in str(error) else f"{visible(str(path))}: {error}"
            records.append({"image": str(path), "error": named})
            continue
        reply = ask(session, photo[np.newaxis], question)
        marks = [_marks(answer, reply, session.metadata, photo.shape[:2], boxes) for answer in reply.answers]
        write_png(_draw(photo, reply.answers, marks, is_signed(metadata)), written["overlay"])
        if npy:
            maps = np.stack([answer.saliency for answer in reply.answers])
            _write_npy(maps if several else maps[0], written["saliency"])
        record = _record(reply, session.metadata, several)
        records.append({"image": str(path), **{key: str(file) for key, file in written.items()}, **record})
    return records


def _in_tiles(
    session: Session,
    photo: NDArray[np.uint8],
    question: Question,
    written: Mapping[str, Path],
    several: bool,
    report: Callable[[str], None],
) -> dict[str, Any]:
    """Explains a large photo tile by tile, draws it reduced, and leaves its map where it is wanted."""
    place = written.get("saliency") or written["overlay"]
    partial = new_partial(place.parent)
    try:
        reply = ask_tiles(session, photo, question, partial, several, report)
        small = [replace(answer, saliency=reduced(answer.saliency)) for answer in reply.answers]
        write_png(_draw(reduced(photo), small, [NONE] * len(small), True), written["overlay"])
        record = _record(replace(reply, answers=tuple(small)), session.metadata, several)
        if "saliency" in written:
            partial.replace(written["saliency"])
    finally:
        partial.unlink(missing_ok=True)
    return record


def _marks(answer: Answer, reply: Reply, metadata: Metadata, photo: tuple[int, int], boxes: Boxes | None) -> Marks:
    marks = marks_of(answer.element, reply.logits, metadata)
    if boxes is None:
        return marks
    values = boxes_in(reply.logits, reply.outputs, boxes)
    return replace(marks, box=boxes.of(answer.element, values, photo, metadata))


def _draw(photo: NDArray[np.uint8], answers: Sequence[Answer], marks: Sequence[Marks], signed: bool) -> Image.Image:
    """Photo, map and overlay of one; the overlays of several."""
    shown = [
        Shown(answer.saliency, answer.name, "" if answer.score is None else f"score {answer.score:.2f}", marked)
        for answer, marked in zip(answers, marks, strict=True)
    ]
    return draw_comparison(photo, shown, signed) if len(shown) > 1 else draw_panel(photo, *shown[0], signed=signed)


def _record(reply: Reply, metadata: Metadata, several: bool) -> dict[str, Any]:
    """What a picture shows."""
    first = reply.answers[0]
    explained = [answer.as_dict() for answer in reply.answers]
    record: dict[str, Any] = {"explained": explained} if several else explained[0]
    record["top"] = []
    if reply.logits is not None and metadata["target"] != "score":
        best = best_elements(reply.logits, metadata, place=first.element)
        record["top"] = [vars(element_score(reply.logits, element, metadata)) for element in best]
    shown = {} if reply.logits is None else {"logits": reply.logits}
    if found := describe_overflow({**shown, "saliency": np.stack([answer.saliency for answer in reply.answers])}):
        record["warning"] = found
    return record


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
