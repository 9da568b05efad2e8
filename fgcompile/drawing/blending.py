"""How a map is laid over a photo: the photo in grey, so that all colour is the map's, and darker, so that it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fgcompile.artifact.questions import shown
from fgcompile.drawing.palettes import Palette, palette_of
from fgcompile.errors import InputError

# With these, five steps of a map are told apart over any grey by whoever sees no red, green or blue: the least
# difference of two is CIELAB ΔE 7, where a plain mixture of photo and map had 0.5. They were searched for that, and
# tests/drawing/test_colour_vision.py holds them to it.
_OPACITY = 0.92
_DIM = 0.75
_CURVE = 0.65
_TEXTURE = 0.2  # how much of the photo's brightness is left in the brightest parts, where nothing else of it is
_LUMA = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class Style:
    """How maps are drawn.

    Attributes:
        palette: The colours.
        alpha: How opaque the strongest colour is, from 0 to 1.
    """

    palette: Palette
    alpha: float


def style_of(signed: bool, colormap: Any = None, alpha: float | None = None) -> Style:
    """The style of maps that have a sign or not.

    Args:
        signed: Whether they have one.
        colormap: As in ``palette_of``.
        alpha: None for the usual opacity.

    Raises:
        InputError: There is no such colour map, it does not fit the maps, or ``alpha`` is no opacity.
        MissingPackageError: The colour map is matplotlib's, which is not installed.
    """
    if alpha is not None and (isinstance(alpha, bool) or not isinstance(alpha, int | float) or not 0 <= alpha <= 1):
        raise InputError(f"alpha is {shown(alpha)}: give a number from 0, the photo in grey, to 1")
    return Style(palette_of(colormap, signed), _OPACITY if alpha is None else float(alpha))


def grey_of(base: NDArray[np.uint8]) -> NDArray[np.float64]:
    """A photo's brightness, ``(H, W, 1)`` in [0, 255]."""
    return np.asarray((base @ _LUMA)[..., None])


def blend(grey: NDArray[np.float64], strength: NDArray[np.float64], style: Style) -> NDArray[np.float64]:
    """Lays a map over brightness: ``(1 − o) 0.75 g + o c (0.8 + 0.2 g / 255)`` with ``o = alpha |s|^0.65``.

    Args:
        grey: g, ``(H, W, 1)`` in [0, 255].
        strength: s, ``(H, W)`` in [0, 1], or of a signed map in [−1, 1].
        style: Colours c, and alpha.

    Returns:
        RGB in [0, 255], ``(H, W, 3)``.
    """
    opacity = style.alpha * (np.abs(np.nan_to_num(strength)) ** _CURVE)[..., None]
    lit = style.palette.over(strength) * (1 - _TEXTURE + _TEXTURE * grey / 255)
    return np.asarray((1 - opacity) * _DIM * grey + opacity * lit)
