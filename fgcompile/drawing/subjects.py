"""What a map is drawn over: by itself, and under the map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray
from PIL import Image

from fgcompile.drawing.blending import Style
from fgcompile.drawing.captions import ColourBar
from fgcompile.drawing.marks import NONE, Marks
from fgcompile.drawing.scale import Scale, scale_of


@dataclass(frozen=True)
class Shown:
    """A map with its words.

    Attributes:
        saliency: The map, in the shape of the input's space.
        title: What is explained, e.g. the class's name.
        detail: The caption's second part, e.g. the score.
        marks: What is drawn into pictures of it.
    """

    saliency: NDArray[Any]
    title: str = ""
    detail: str = ""
    marks: Marks = NONE


class Subject(Protocol):
    """An input of one kind, which knows how it is drawn; all of its pictures have one size."""

    @property
    def called(self) -> str:
        """What its kind is called."""

    def plain(self, marks: Marks) -> Image.Image | None:
        """The input by itself; None where that shows nothing that is not seen under the map."""

    def over(self, saliency: NDArray[Any], scale: Scale, style: Style, marks: Marks) -> Image.Image:
        """The input under a map of its space."""

    def scale(self, maps: NDArray[Any], signed: bool) -> Scale:
        """What the colours of maps of it stand for."""

    def bar(self, scale: Scale, style: Style) -> ColourBar | None:
        """What says so; None where the numbers themselves stand in the picture."""


class Spread:
    """A subject whose maps are spread from their least to their greatest value."""

    def scale(self, maps: NDArray[Any], signed: bool) -> Scale:
        """From the minimum to the 99.5th percentile, or that on both sides of 0."""
        return scale_of(maps, signed)

    def bar(self, scale: Scale, style: Style) -> ColourBar | None:
        """The colours as they are over a photo."""
        return ColourBar(scale, style)
