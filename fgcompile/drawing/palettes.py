"""The colours of maps: of a magnitude from dark to bright, of a signed map in two hues that meet at 0.

Over a photo the darkest colours of a map would be a shadow on a bright place and the photo itself on a dark one, so
what is laid over it begins further up (``Palette.ink``). ``tests/drawing/test_colour_vision.py`` holds the steps of
either to what those tell apart who see no red, green or blue.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fgcompile.artifact.questions import shown
from fgcompile.drawing.colormaps import named_colormap
from fgcompile.errors import InputError, first_line

MORE = (255, 140, 40)
LESS = (90, 160, 255)
"""Orange and blue, which those who see no red or green tell apart too."""

SEQUENTIAL = ("inferno", "viridis")
"""The colour maps that are here for magnitudes, the first of them where none is asked for."""

DIVERGING = ("orange-blue",)
"""Those for signed maps: what adds to the score is orange, what takes from it blue, 0 is black."""

Colormap = str | Callable[[NDArray[np.float64]], Any]
"""A colour map by name, or one of matplotlib's: from [0, 1] to RGBA in [0, 1]."""

Colors = NDArray[np.float64]
_LUMA = np.array([0.299, 0.587, 0.114])
_COLOURS = 256
_COOLEST, _WARMEST = 0.18, 0.94  # of a sequential map, over a photo: its pale yellow end turns green on dark objects
_PALEST = 0.4  # of a diverging one


@dataclass(frozen=True)
class Palette:
    """Colours by strength, RGB in [0, 255], ``(256, 3)`` each: from 0 to 1, of a signed one from −1 to 1.

    Attributes:
        plain: Of the map by itself.
        ink: Of what is laid over a photo.
        signed: Whether it is for signed maps.
    """

    plain: Colors
    ink: Colors
    signed: bool

    def colour(self, strength: NDArray[np.float64]) -> Colors:
        """A map's colours, RGB in [0, 255], with an axis of the three behind those of the map."""
        return self._take(self.plain, strength)

    def over(self, strength: NDArray[np.float64]) -> Colors:
        """The same of what is laid over a photo."""
        return self._take(self.ink, strength)

    def _take(self, colours: Colors, strength: NDArray[np.float64]) -> Colors:
        part = (strength + 1) / 2 if self.signed else strength
        steps = (np.nan_to_num(part) * len(colours)).astype(np.intp)
        return np.asarray(colours[steps.clip(max=len(colours) - 1)])


def palette_of(colormap: Colormap | None = None, signed: bool = False) -> Palette:
    """The colours of a colour map.

    Args:
        colormap: Its name, of those here or of matplotlib's, or one of matplotlib's itself; None for the usual one.
        signed: Whether it is for signed maps, which take one that diverges from its middle.

    Raises:
        InputError: There is no such colour map, or it does not diverge.
        MissingPackageError: It is matplotlib's, which is not installed.
    """
    if colormap is None or (isinstance(colormap, str) and colormap in SEQUENTIAL + DIVERGING):
        return _own(colormap or (DIVERGING if signed else SEQUENTIAL)[0], signed)
    colours = _of_matplotlib(colormap, DIVERGING if signed else SEQUENTIAL)
    return _diverging(colours, _named(colormap)) if signed else _sequential(colours)


@cache
def _own(name: str, signed: bool) -> Palette:
    if signed and name in SEQUENTIAL:
        raise InputError(f"colour map {name} has no middle: a signed map takes {DIVERGING[0]}, or one such as RdBu")
    if not signed and name in DIVERGING:
        raise InputError(f"colour map {name} is for signed maps, which this is not: give {' or '.join(SEQUENTIAL)}")
    if not signed:
        return _sequential(np.loadtxt(Path(__file__).with_name(f"{name}.csv"), delimiter=",") * 255)
    strength = np.linspace(-1, 1, _COLOURS)[:, np.newaxis]
    hue = np.where(strength > 0, np.array(MORE, np.float64), np.array(LESS, np.float64))
    return Palette(np.abs(strength) * hue, hue, True)


def _sequential(colours: Colors) -> Palette:
    part = np.linspace(_COOLEST, _WARMEST, _COLOURS)
    return Palette(colours, colours[(part * (len(colours) - 1)).round().astype(int)], False)


def _diverging(colours: Colors, name: str) -> Palette:
    first, middle, last = colours[[0, len(colours) // 2, -1]] @ _LUMA
    if (middle - first) * (middle - last) <= 0:
        raise InputError(f"colour map {name} has no middle: a signed map takes {DIVERGING[0]}, or one such as RdBu")
    strength = np.linspace(-1, 1, _COLOURS)
    part = (1 + np.sign(strength) * (_PALEST + (1 - _PALEST) * np.abs(strength))) / 2
    return Palette(colours, colours[(part * (len(colours) - 1)).round().astype(int)], True)


def _of_matplotlib(colormap: Colormap, own: tuple[str, ...]) -> Colors:
    table: Any = named_colormap(colormap, own) if isinstance(colormap, str) else colormap
    if not callable(table) or isinstance(table, type):
        raise InputError(f"colormap is {shown(table)}: give the name of one, as {own[0]}, or one of matplotlib's")
    try:
        colours = np.asarray(table(np.linspace(0, 1, _COLOURS)), np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"colour map {_named(colormap)} makes no colours of numbers: {first_line(error)}") from error
    if colours.ndim != 2 or colours.shape[1] not in (3, 4):
        raise InputError(f"colour map {_named(colormap)} gives {colours.shape} for 256 numbers: it has to give RGB")
    return np.asarray(colours[:, :3] * 255)


def _named(colormap: Colormap) -> str:
    return colormap if isinstance(colormap, str) else str(getattr(colormap, "name", type(colormap).__name__))
