"""From photos to pictures of their explanations: what ``fgcompile explain`` does, one photo at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fgcompile.artifact.elements import best_elements, element_score
from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.wishes import Wish
from fgcompile.drawing.blending import Style, style_of
from fgcompile.drawing.files import write_npy, write_png
from fgcompile.drawing.marks import Marks, marks_of
from fgcompile.drawing.palettes import Colormap
from fgcompile.drawing.panels import draw_comparison, draw_overlay, draw_photo
from fgcompile.drawing.photo import Photo, in_colour
from fgcompile.drawing.scale import is_signed
from fgcompile.drawing.subjects import Shown
from fgcompile.drawing.whole import whole_photo
from fgcompile.errors import InputError, MissingPackageError
from fgcompile.media.asking import Reply, ask, choose
from fgcompile.media.boxes import Boxes, boxes_in, read_boxes
from fgcompile.media.images import photo_shape, read_whole
from fgcompile.media.reading import DEFAULT, Reading
from fgcompile.runtime import Session
from fgcompile.runtime.answers import Answer
from fgcompile.runtime.finite import describe_overflow
from fgcompile.system.files import make_directory
from fgcompile.system.text import brief, visible

_LONGEST_NAME = 200
"""Bytes of a photo's name that go into the names of its files: 255 are what file systems allow."""


_LONGEST_SIDE, _SHORTEST_SIDE = 512, 160
"""Of a photo beside its map, in pixels; the second of one that is up to four times as wide or high."""


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
    overlay: bool = False,
    alpha: float | None = None,
    colormap: Colormap | None = None,
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
        overlay: Whether to write the whole photo under its map, at its own size, as ``<photo>-overlay.png`` beside it.
        alpha: How opaque maps are at their strongest, 0 to 1.
        colormap: Their colours (``fgcompile.drawing.palettes``).
        reading: What the photos' files do not say by themselves.
        report: Called with each photo's name as its turn comes.

    Returns:
        For each photo a record of ``image``, ``overlay``, the picture, ``whole`` (with ``overlay``), ``saliency`` (with
        ``npy``), ``target``, ``name``, ``score``,
        ``top``, ``residual`` where the artifact computes it, ``warning`` where numbers overflowed; of one that cannot
        be read, ``image`` and ``error``. Of several targets these are in ``explained``, a list. Of an output of more
        axes ``target`` is a list. Of a score that was a function ``target`` is None, and so is ``score`` unless
        contributions and residual, which add up to it, are computed too.

    Raises:
        InputError: The target is out of range, the artifact takes no photos, or there is no such colour map or opacity.
        MissingPackageError: The colour map is matplotlib's, which is not installed.
        OutputError: The directory cannot be written.
    """
    question, boxes = choose(session.metadata, target, targets, top), read_boxes(box)
    metadata = session.metadata
    best_ones = metadata["target"] == "predicted" and "targets" in metadata
    several = targets is not None or top is not None or best_ones
    shape = photo_shape(session.metadata)
    style = style_of(is_signed(metadata), colormap, alpha)
    if boxes is not None:
        boxes.require(session.metadata)
    make_directory(directory)
    records = []
    for path, name in zip(paths, _distinct_names(paths), strict=True):
        report(visible(path.name))
        try:
            photo, whole = read_whole(path, shape, reading)
        except (InputError, MissingPackageError) as error:
            records.append({"image": str(path), "error": str(error)})
            continue
        reply = ask(session, photo[np.newaxis], question)
        ends = {"overlay": "explained.png", "whole": "overlay.png" * overlay, "saliency": "saliency.npy" * npy}
        written = {key: directory / f"{name}-{end}" for key, end in ends.items() if end}
        marks = [_marks(answer, reply, metadata, photo.shape[:2], boxes) for answer in reply.answers]
        shown = [
            Shown(each.saliency, each.name, each.detail, own) for each, own in zip(reply.answers, marks, strict=True)
        ]
        write_png(_draw(_placed(photo, _shrunk(whole)), shown, style), written["overlay"])
        if overlay:
            write_png(_draw(_placed(photo, whole), shown, style, alone=True), written["whole"])
        if npy:
            maps = np.stack([answer.saliency for answer in reply.answers])
            write_npy(maps if several else maps[0], written["saliency"])
        record = _record(reply, session.metadata, several)
        records.append({"image": str(path), **{key: str(file) for key, file in written.items()}, **record})
    return records


def _marks(answer: Answer, reply: Reply, metadata: Metadata, photo: tuple[int, int], boxes: Boxes | None) -> Marks:
    marks = marks_of(answer.element, reply.logits, metadata)
    if boxes is None:
        return marks
    values = boxes_in(reply.logits, reply.outputs, boxes)
    return replace(marks, box=boxes.of(answer.element, values, photo, metadata))


def _placed(photo: NDArray[np.uint8], whole: NDArray[np.uint8]) -> Photo:
    """The whole photo with the part that was given; that part alone where it is not found again."""
    seen = Photo(in_colour(photo))
    try:
        return whole_photo(in_colour(whole), seen)
    except InputError:
        return seen


def _shrunk(whole: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A photo as large as it is shown beside its map: three of a camera's side by side would be a poster."""
    height, width = whole.shape[:2]
    longest = max(height, width)
    factor = min(
        1.0, max(_LONGEST_SIDE / longest, min(_SHORTEST_SIDE / min(height, width), 4 * _LONGEST_SIDE / longest))
    )
    if factor == 1.0:
        return whole
    size = max(1, round(factor * width)), max(1, round(factor * height))
    return np.asarray(Image.fromarray(in_colour(whole)).resize(size, Image.Resampling.LANCZOS))


def _draw(photo: Photo, shown: Sequence[Shown], style: Style, alone: bool = False) -> Image.Image:
    """Photo, map and overlay of one, or its overlay alone; the overlays of several."""
    signed = style.palette.signed
    if len(shown) > 1:
        return draw_comparison(photo, shown, signed, style)
    return draw_overlay(photo, shown[0], signed, style) if alone else draw_photo(photo, shown[0], signed, style)


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
