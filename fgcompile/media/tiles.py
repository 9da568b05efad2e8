"""Pictures larger than an artifact takes, in tiles of its size: the map is stitched of theirs.

The tiles overlap by a quarter, and fade into each other there. Maps of one scale are needed for that, which the signed
sum has: under other ψ each sample's terms are scaled by its own extremes, so that a tile of nothing would glow as much
as the one that decides. The stitched map lies on the disk, and what is in memory of it is a tile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fgcompile.artifact.elements import best_elements, output_axes, resolve
from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.wishes import needs_logits
from fgcompile.drawing.scale import is_signed
from fgcompile.errors import InputError
from fgcompile.media.asking import Question, Reply, ask
from fgcompile.runtime import Session

_SHOWN = 1024
"""Pixels of the longer side of what is drawn, at most."""


@dataclass(frozen=True)
class Grid:
    """Tiles over a picture.

    Attributes:
        shape: ``(h, w)`` of a tile.
        rows: Where each row of tiles begins.
        columns: Likewise.
    """

    shape: tuple[int, int]
    rows: tuple[int, ...]
    columns: tuple[int, ...]

    def corners(self) -> Iterator[tuple[int, int]]:
        """The upper left of each tile, row by row."""
        return ((row, column) for row in self.rows for column in self.columns)

    def tile(self, pixels: NDArray[Any], corner: tuple[int, int]) -> NDArray[Any]:
        """One tile of ``(H, W)`` or ``(H, W, C)``, as a view."""
        (row, column), (height, width) = corner, self.shape
        return pixels[row : row + height, column : column + width]

    def weights(self, corner: tuple[int, int], size: tuple[int, int]) -> NDArray[np.float32]:
        """What a tile counts for at each of its places, ``(h, w)``: those of all tiles over a place add up to 1."""
        down = _share(self.rows, self.shape[0], size[0], corner[0])
        across = _share(self.columns, self.shape[1], size[1], corner[1])
        return np.asarray(down[:, np.newaxis] * across, np.float32)


class _Seen:
    """The means over the tiles so far of what is said of each."""

    def __init__(self) -> None:
        self._count = 0
        self._first: Reply | None = None
        self._logits: Any = 0.0
        self._scores: Any = 0.0

    def add(self, reply: Reply) -> None:
        self._count += 1
        self._first = self._first or reply
        self._logits = None if reply.logits is None else self._logits + reply.logits.astype(np.float64)
        self._scores = self._scores + np.array([np.nan if each.score is None else each.score for each in reply.answers])

    def joined(self, maps: NDArray[np.float32]) -> Reply:
        """The whole picture's reply, with the stitched maps."""
        assert self._first is not None
        scores = [None if np.isnan(score) else float(score) for score in self._scores / self._count]
        answers = zip(self._first.answers, scores, maps, strict=True)
        return Reply(
            tuple(
                replace(each, score=score, saliency=whole, residual=None, beside=None) for each, score, whole in answers
            ),
            None if self._logits is None else self._logits / self._count,
            {},
        )


def require_tiles(metadata: Metadata) -> None:
    """Refuses artifacts whose maps of tiles are not those of one picture.

    Raises:
        InputError: Says which of them to compile.
    """
    if not is_signed(metadata):
        raise InputError(
            f"fit='tile' adds maps of tiles up, and with psi {metadata['psi']} each has a scale of its own: compile "
            "the artifact with psi='signed'"
        )
    if metadata["target"] == "predicted":
        raise InputError(
            "fit='tile' explains one class in all tiles, and this artifact explains what it predicts in each: compile "
            "it without target='predicted'"
        )
    if metadata["target"] == "input" and len(output_axes(metadata)) > 1:
        raise InputError("fit='tile' needs a target that is a class, and this artifact's is a place within a picture")


def grid_over(size: tuple[int, int], shape: tuple[int, int]) -> Grid:
    """The tiles of ``shape`` over a picture of a size, both height and width.

    Raises:
        InputError: The picture is smaller than a tile.
    """
    if size[0] < shape[0] or size[1] < shape[1]:
        raise InputError(
            f"{size[1]} by {size[0]} pixels are less than a tile of {shape[1]} by {shape[0]}: use fit='letterbox'"
        )
    return Grid(shape, _starts(size[0], shape[0]), _starts(size[1], shape[1]))


def ask_tiles(
    session: Session,
    pixels: NDArray[np.uint8],
    question: Question,
    file: Path,
    several: bool,
    report: Callable[[str], None],
) -> Reply:
    """Explains one picture tile by tile.

    Args:
        session: An artifact that ``require_tiles`` passes.
        pixels: ``(H, W, C)``.
        question: What ``choose`` returned; none is the class whose mean logit over the tiles is the largest.
        file: Where the map goes, ``(H, W)`` of float32, as ``.npy``.
        several: Whether it holds those of several classes, ``(T, H, W)``.
        report: Called with the tile that is next.

    Returns:
        Scores and logits are means over the tiles; maps are read from the file as they are looked at.

    Raises:
        InputError: The picture is smaller than a tile, or the artifact does not say which class is the largest.
    """
    shape = session.metadata["inputs"][0].get("example", session.metadata["inputs"][0]["shape"])[1:3]
    size = (pixels.shape[0], pixels.shape[1])
    grid = grid_over(size, (int(shape[0]), int(shape[1])))
    elements = _elements(session, grid, pixels, question, report)
    maps: NDArray[np.float32] | None = None
    seen = _Seen()
    for number, corner in enumerate(grid.corners(), start=1):
        report(f"tile {number} of {len(grid.rows) * len(grid.columns)}")
        reply = ask(session, grid.tile(pixels, corner)[np.newaxis], elements)
        if maps is None:
            stored = (len(reply.answers), *size) if several else size
            maps = np.lib.format.open_memmap(file, "w+", np.float32, stored).reshape(len(reply.answers), *size)
        weights = grid.weights(corner, size)
        for answer, whole in zip(reply.answers, maps, strict=True):
            grid.tile(whole, corner)[...] += weights * answer.saliency
        seen.add(reply)
    assert maps is not None
    return seen.joined(maps)


def reduced(pixels: NDArray[Any], longest: int = _SHOWN) -> NDArray[Any]:
    """An array ``(H, W)`` or ``(H, W, C)`` as means of squares, its longer side at most so long."""
    step = -(-max(pixels.shape[:2]) // longest)
    if step == 1:
        return pixels
    height, width = (size // step for size in pixels.shape[:2])
    rows = []
    for row in range(height):  # of a map on the disk a strip at a time
        strip = np.asarray(pixels[row * step : (row + 1) * step, : width * step], np.float64)
        rows.append(strip.reshape(step, width, step, *pixels.shape[2:]).mean((0, 2)))
    return np.asarray(np.stack(rows)).astype(pixels.dtype)


def _elements(
    session: Session, grid: Grid, pixels: NDArray[np.uint8], question: Question, report: Callable[[str], None]
) -> Question:
    """The question with the same classes for all tiles."""
    metadata, asked = session.metadata, question.elements
    if metadata["target"] != "input" or (asked and not any(map(needs_logits, asked))):
        return question
    report("looking at all tiles")
    total: Any = 0.0
    for corner in grid.corners():
        total = total + session.predict(grid.tile(pixels, corner)[np.newaxis])[0].astype(np.float64)
    logits = total / (len(grid.rows) * len(grid.columns))
    if asked:
        return Question(tuple(resolve(each, logits) if needs_logits(each) else each for each in asked))
    return Question(tuple(best_elements(logits, metadata, question.top or 1)))


def _starts(length: int, tile: int) -> tuple[int, ...]:
    """Where tiles begin along an axis: evenly, each at most three quarters of a tile behind the one before."""
    step = max(1, tile - tile // 4)
    count = -(-(length - tile) // step) + 1
    return tuple(int(place) for place in np.rint(np.linspace(0, length - tile, count)))


def _share(starts: tuple[int, ...], tile: int, length: int, start: int) -> NDArray[np.float64]:
    """What the tile at ``start`` counts for along an axis: a ramp at its ends, divided by the sum of all tiles'."""
    places = np.arange(tile)
    ramp = np.minimum(1.0, np.minimum(places + 1, tile - places) / (tile // 4 + 1))
    total = np.zeros(length)
    for each in starts:
        total[each : each + tile] += ramp
    return np.asarray(ramp / total[start : start + tile])
