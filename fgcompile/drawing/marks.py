"""What a picture marks of an element: its place, the region where the model sees its class, a detector's box."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fgcompile.artifact.elements import Element, class_axis, output_axes
from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.scores import arguments_of

_INK = (90, 220, 255)  # which no map has
_EDGE = (10, 14, 20)

_SEGMENTATION = 3
"""Axes of one sample's logits of each place: classes, height and width."""


@dataclass(frozen=True)
class Marks:
    """What is marked, in parts of the picture's height and width.

    Attributes:
        place: ``(row, column)`` of a point.
        region: bool ``(h, w)`` over the whole picture, whose border is drawn.
        box: ``(left, top, right, bottom)``.
    """

    place: tuple[float, float] | None = None
    region: NDArray[np.bool_] | None = None
    box: tuple[float, float, float, float] | None = None


NONE = Marks()
"""A picture as it is."""


def marks_of(element: Element | None, logits: NDArray[Any] | None, metadata: Metadata) -> Marks:
    """The place of an element ``(class, height, width)`` in any order, and where its class is the largest.

    Args:
        element: The explained one.
        logits: The sample's, ``(d_1, …, d_r)``.
        metadata: The artifact's, whose axes say by name which are places of the picture, its score which part it is of.
    """
    axes = output_axes(metadata)
    names = [axis["name"] for axis in axes]
    if element is None or "height" not in names or "width" not in names:
        return Marks(box=_region_of(logits, metadata))
    shape = [axis["size"] for axis in axes] if logits is None else logits.shape
    row, column = (_middle(element[axis], shape[axis]) for axis in (names.index("height"), names.index("width")))
    classes = class_axis(metadata)
    region = None
    # One class has no region that is larger than another's, and of more axes than these a picture shows no slice.
    if logits is not None and classes is not None and logits.ndim == 3 and logits.shape[classes] > 1:
        region = logits.argmax(classes) == element[classes]
        region = region if names.index("height") < names.index("width") else region.T
    return Marks(None if row is None or column is None else (row, column), region)


def _region_of(logits: NDArray[Any] | None, metadata: Metadata) -> tuple[float, float, float, float] | None:
    """The part of a segmentation that a score is the mean of, where rows or columns of it were chosen."""
    if logits is None or logits.ndim != _SEGMENTATION or metadata.get("scored", {}).get("name") != "Region":
        return None
    chosen = arguments_of(metadata)
    if "rows" not in chosen and "columns" not in chosen:
        return None
    height, width = logits.shape[1:]
    (top, bottom), (left, right) = chosen.get("rows", (0, height)), chosen.get("columns", (0, width))
    return left / width, top / height, right / width, bottom / height


def draw_marks(tile: Image.Image, marks: Marks) -> None:
    """Draws what is marked into a tile, an RGB image of the whole picture."""
    width, height = tile.size
    draw = ImageDraw.Draw(tile)
    thick = max(2, min(tile.size) // 110)
    if marks.region is not None and marks.region.any() and not marks.region.all():
        _draw_region(tile, marks.region, thick)
    if marks.box is not None:
        left, top, right, bottom = marks.box
        corners = _inside(left * width, top * height, right * width, bottom * height, tile.size)
        draw.rectangle(corners, outline=_EDGE, width=thick + 2)
        draw.rectangle([corners[0] + 1, corners[1] + 1, corners[2] - 1, corners[3] - 1], outline=_INK, width=thick)
    if marks.place is not None:
        row, column = marks.place[0] * height, marks.place[1] * width
        radius = max(5, min(tile.size) // 28)
        for extra, color in ((2, _EDGE), (0, _INK)):
            around = [column - radius - extra, row - radius - extra, column + radius + extra, row + radius + extra]
            draw.ellipse(around, outline=color, width=thick + 2 * extra)
        draw.ellipse([column - 2, row - 2, column + 2, row + 2], fill=_INK, outline=_EDGE)


def _middle(index: int, size: int | str) -> float | None:
    return (index + 0.5) / size if isinstance(size, int) else None


def _draw_region(tile: Image.Image, region: NDArray[np.bool_], thick: int) -> None:
    """Its border, inside of it, ``thick`` pixels wide, with an edge of one."""
    mask = np.asarray(Image.fromarray(region).resize(tile.size, Image.Resampling.NEAREST))
    inner = _shrink(mask, 1)
    line = _shrink(inner, thick)
    pixels = np.array(tile)
    pixels[mask & ~inner] = _EDGE
    pixels[inner & ~line] = _INK
    tile.paste(Image.fromarray(pixels))


def _shrink(mask: NDArray[np.bool_], steps: int) -> NDArray[np.bool_]:
    """The mask without its outermost pixels; what ends at the picture's end does not end there."""
    for _ in range(steps):
        padded = np.pad(mask, 1, mode="edge")
        mask = mask & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask


def _inside(left: float, top: float, right: float, bottom: float, size: tuple[int, int]) -> list[float]:
    """The corners of a box, its lines within the tile."""
    return [
        min(max(left, 0), size[0] - 4),
        min(max(top, 0), size[1] - 4),
        max(min(right, size[0] - 1), min(max(left, 0), size[0] - 4) + 3),
        max(min(bottom, size[1] - 1), min(max(top, 0), size[1] - 4) + 3),
    ]
