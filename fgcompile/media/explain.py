"""From photos to pictures of their explanations: what ``fgcompile explain`` does, one photo at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fgcompile.artifact.elements import element_score
from fgcompile.artifact.fitting import Fit, fit_of
from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.wishes import Wish
from fgcompile.drawing.blending import Style, style_of
from fgcompile.drawing.files import write_npy, write_png
from fgcompile.drawing.marks import NONE, Marks, marks_of
from fgcompile.drawing.palettes import Colormap
from fgcompile.drawing.panels import draw_comparison, draw_overlay, draw_photo
from fgcompile.drawing.photo import Box, Photo, in_colour
from fgcompile.drawing.scale import is_signed
from fgcompile.drawing.subjects import Shown
from fgcompile.drawing.whole import filled_up
from fgcompile.errors import InputError, MissingPackageError
from fgcompile.media.asking import Question, Reply, ask, choose
from fgcompile.media.boxes import Boxes, boxes_in, read_boxes
from fgcompile.media.tiles import ask_tiles, reduced, require_tiles
from fgcompile.pictures.images import in_whole_steps, photo_shape, read_unfitted, read_whole, require_any_size, told_of
from fgcompile.pictures.reading import DEFAULT, TILE, WHOLE, Reading
from fgcompile.runtime import Session
from fgcompile.runtime.answers import Answer
from fgcompile.runtime.depicting import shown_of
from fgcompile.runtime.finite import describe_overflow
from fgcompile.system.files import make_directory
from fgcompile.system.leftovers import new_partial
from fgcompile.system.text import distinct_names, visible

_ANY = Question()

_NARROWEST = 8
"""Pixels of a part of a photo that can be told in it."""

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
        contributions, which add up to it, are computed too.

    Raises:
        InputError: The target is out of range, the artifact takes no photos, or there is no such colour map or opacity.
        MissingPackageError: The colour map is matplotlib's, which is not installed.
        OutputError: The directory cannot be written.
    """
    boxes = read_boxes(box)
    question = choose(session.metadata, target, targets, top, boxes)
    metadata = session.metadata
    best_ones = metadata["target"] == "predicted" and "targets" in metadata
    several = targets is not None or top is not None or best_ones
    shape, fit = photo_shape(metadata), fit_of(metadata["preprocess"])
    style = style_of(is_signed(metadata), colormap, alpha)
    if boxes is not None:
        boxes.require(session.metadata)
    if reading.fit == WHOLE:
        require_any_size(metadata)
    if reading.fit == TILE:
        require_tiles(metadata)
        if boxes is not None:
            raise InputError("--box and --fit tile: a box lies in one tile; give one of them")
        if overlay:
            raise InputError("--overlay and --fit tile: a large picture is drawn reduced; take --npy for all of it")
    make_directory(directory)
    records = []
    for path, name in zip(paths, distinct_names(paths), strict=True):
        report(visible(path.name))
        ends = {"overlay": "explained.png", "whole": "overlay.png" * overlay, "saliency": "saliency.npy" * npy}
        written = {key: directory / f"{name}-{end}" for key, end in ends.items() if end}
        try:
            if reading.fit == TILE:
                pixels = read_unfitted(path, shape[2], reading)
                record = _in_tiles(session, pixels, question, written, (style, several), report)
                records.append({"image": str(path), **{key: str(file) for key, file in written.items()}, **record})
                continue
            photo, placed = _read(path, shape, reading, metadata, fit)
        except (InputError, MissingPackageError) as error:
            records.append({"image": str(path), "error": told_of(path, error)})
            continue
        reply = ask(session, photo[np.newaxis], question)
        marks = [_marks(answer, reply, metadata, photo.shape[:2], boxes) for answer in reply.answers]
        shown = _shown(reply.answers, marks)
        write_png(_draw(_shrunk(placed), shown, style), written["overlay"])
        if overlay:
            write_png(_draw(placed, shown, style, alone=True), written["whole"])
        if npy:
            maps = np.stack([answer.saliency for answer in reply.answers])
            write_npy(maps if several else maps[0], written["saliency"])
        record = record_of(reply, session.metadata, several, question)
        records.append({"image": str(path), **{key: str(file) for key, file in written.items()}, **record})
    return records


def require_askable(
    metadata: Metadata,
    asked: tuple[Wish, str | Sequence[Wish] | None, int | None],
    drawn: tuple[Colormap | None, float | None],
) -> None:
    """Passes what ``explain_photos`` can be asked of an artifact of photos, without loading any runtime.

    Args:
        metadata: The artifact's; of what takes no photos nothing is said.
        asked: ``target``, ``targets`` and ``top``.
        drawn: ``colormap`` and ``alpha``.

    Raises:
        InputError: As there.
        MissingPackageError: As there.
    """
    if metadata["preprocess"] is not None:
        style_of(is_signed(metadata), *drawn)
        choose(metadata, *asked)


def _in_tiles(
    session: Session,
    photo: NDArray[np.uint8],
    question: Question,
    written: Mapping[str, Path],
    style: tuple[Style, bool],
    report: Callable[[str], None],
) -> dict[str, Any]:
    """Explains a large photo tile by tile, draws it reduced, and leaves its map where it is wanted."""
    drawn, several = style
    place = written.get("saliency") or written["overlay"]
    partial = new_partial(place.parent)
    try:
        reply = ask_tiles(session, photo, question, partial, several, report)
        small = [replace(answer, saliency=reduced(answer.saliency)) for answer in reply.answers]
        shown = _shown(small, [NONE] * len(small))
        base = Photo(in_colour(reduced(photo)))
        # Of several maps each is as large as a fitted photo's, so that they stand in rows.
        write_png(_draw(base if len(shown) == 1 else _shrunk(base), shown, drawn), written["overlay"])
        record = record_of(replace(reply, answers=tuple(small)), session.metadata, several)
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
    return replace(marks, box=boxes.of(answer.element, values, photo, metadata, reply.logits))


def _read(
    path: Path, shape: tuple[int, int, int], reading: Reading, metadata: Metadata, fit: Fit
) -> tuple[NDArray[np.uint8], Photo]:
    """What the artifact is given of a photo, and the whole photo, filled up as that was, with that part; or a line."""
    if reading.fit == WHOLE:
        photo = in_whole_steps(read_unfitted(path, shape[2], reading), metadata, fit)
        return photo, Photo(in_colour(photo))
    photo, whole, part = read_whole(path, shape, reading, fit)
    height, width = whole.shape[:2]
    left, top, right, bottom = _in_pixels(part, (width, height))
    filled = (max(right, width) - min(left, 0)) * (max(bottom, height) - min(top, 0))
    if filled > reading.max_pixels or min(right - left, bottom - top) < _NARROWEST:
        return photo, Photo(in_colour(photo))
    pixels, seen = filled_up(in_colour(whole), (left, top, right, bottom), fit)
    return photo, Photo(pixels, None if seen == (0, 0, pixels.shape[1], pixels.shape[0]) else seen)


def _shrunk(photo: Photo) -> Photo:
    """A photo as large as it is shown beside its map: three of a camera's side by side would be a poster."""
    height, width = photo.pixels.shape[:2]
    longest = max(height, width)
    factor = min(
        1.0, max(_LONGEST_SIDE / longest, min(_SHORTEST_SIDE / min(height, width), 4 * _LONGEST_SIDE / longest))
    )
    if factor == 1.0:
        return photo
    size = max(1, round(factor * width)), max(1, round(factor * height))
    pixels = np.asarray(Image.fromarray(photo.pixels).resize(size, Image.Resampling.LANCZOS))
    if photo.part is None:
        return Photo(pixels)
    across, down = size[0] / width, size[1] / height
    left, top, right, bottom = photo.part
    return Photo(pixels, _in_pixels((left * across, top * down, right * across, bottom * down), size))


def _in_pixels(part: tuple[float, float, float, float], size: tuple[int, int]) -> Box:
    """A part in whole pixels, one at least each way."""
    left, top = (min(round(start), most - 1) for start, most in zip(part[:2], size, strict=True))
    return left, top, max(left + 1, round(part[2])), max(top + 1, round(part[3]))


def _shown(answers: Sequence[Answer], marks: Sequence[Marks]) -> list[Shown]:
    return [shown_of(answer, own) for answer, own in zip(answers, marks, strict=True)]


def _draw(photo: Photo, shown: Sequence[Shown], style: Style, alone: bool = False) -> Image.Image:
    """Photo, map and overlay of one, or its overlay alone; the overlays of several."""
    signed = style.palette.signed
    if len(shown) > 1:
        return draw_comparison(photo, shown, signed, style)
    return draw_overlay(photo, shown[0], signed, style) if alone else draw_photo(photo, shown[0], signed, style)


def record_of(reply: Reply, metadata: Metadata, several: bool, question: Question = _ANY) -> dict[str, Any]:
    """What a picture shows."""
    first = reply.answers[0]
    explained = [answer.as_dict() for answer in reply.answers]
    record: dict[str, Any] = {"explained": explained} if several else explained[0]
    record["top"] = []
    if reply.logits is not None and metadata["target"] != "score":
        best = question.best(reply.logits, metadata, place=first.element)
        record["top"] = [vars(element_score(reply.logits, element, metadata)) for element in best]
    shown = {} if reply.logits is None else {"logits": reply.logits}
    if found := describe_overflow({**shown, "saliency": np.stack([answer.saliency for answer in reply.answers])}):
        record["warning"] = found
    return record
