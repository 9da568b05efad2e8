"""The waterfall of a score: from the input's term through the bias terms of each layer to the score itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from numpy.typing import NDArray
from PIL import Image

from fgcompile.artifact.metadata import SiteSpec
from fgcompile.drawing.bars import Bar, Look, draw_bars
from fgcompile.drawing.captions import Color
from fgcompile.errors import InputError

_LIMIT = 24
_POSITIVE: Color = (232, 116, 59)
_NEGATIVE: Color = (63, 131, 216)
_TOTAL: Color = (138, 99, 210)
_GREY: Color = (125, 135, 153)
_ON_PAGES = Look((_GREY, _GREY), background=None, steps=True, zoom=2)
"""Reads on a white page and on a black one, where it may be enlarged."""


def group_by_layer(contributions: NDArray[Any], sites: Sequence[SiteSpec]) -> list[tuple[str, float]]:
    """Adds an artifact's contributions up by layer.

    Args:
        contributions: One sample's, ``(1 + T,)``: the input term, then the terms of ``sites`` in order.
        sites: The artifact's.

    Returns:
        ``("input", its term)``, then a pair for each layer in the order of the graph. Layers are taken as deep in the
        module tree as gives at most 24 bars, or at its top. The values add up to the contributions' sum.
    """
    layers = [site["name"].split(".") for site in sites for _ in site["terms"]]
    if len(contributions) != 1 + len(layers):
        raise ValueError(f"{len(contributions)} contributions for {len(layers)} terms and the input")
    deepest = max(map(len, layers), default=1)
    for depth in range(deepest, 0, -1):
        groups: dict[str, float] = {}
        for layer, value in zip(layers, contributions[1:], strict=True):
            name = ".".join(layer[:depth])
            groups[name] = groups.get(name, 0.0) + float(value)
        if len(groups) < _LIMIT:
            break
    return [("input", float(contributions[0])), *groups.items()]


def draw_waterfall(
    bars: Sequence[tuple[str, float]], total: float | None, residual: float | None, transparent: bool = False
) -> Image.Image:
    """Draws the bars end to end from zero to the score.

    Args:
        bars: Name and value of each, as from ``group_by_layer``.
        total: The explained score; None where it is not known, and then the last bar is the sum of the others.
        residual: The score minus the sum of the terms, where it is computed.
        transparent: Whether the background is, so that the picture fits a white page and a black one.

    Returns:
        An RGB image, or RGBA where it is transparent.

    Raises:
        InputError: A contribution is NaN or infinite.
    """
    if not all(math.isfinite(value) for _, value in bars):
        raise InputError(
            "contributions are NaN or infinite, which no bar is as long as: the numbers overflow on the way"
        )
    ends = list(accumulate(value for _, value in bars))
    drawn = [
        Bar(name, start, end, _signed(value), _POSITIVE if value >= 0 else _NEGATIVE)
        for (name, value), start, end in zip(bars, [0.0, *ends[:-1]], ends, strict=True)
    ]
    last = ("sum", ends[-1]) if total is None else ("score", total)
    drawn.append(Bar(last[0], 0.0, last[1], _signed(last[1]), _TOTAL))
    left = "" if residual is None else f"left over: {_brief(residual)}" if residual else "nothing is left over"
    return draw_bars(drawn, left, _ON_PAGES if transparent else Look(steps=True))


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _brief(value: float) -> str:
    return f"{value:.1e}".replace("e-0", "e-").replace("-", "−")
