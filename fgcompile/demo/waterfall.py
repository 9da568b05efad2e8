"""The waterfall of a logit: from the input's term through the bias terms of each layer to the logit itself."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fgcompile.artifact.metadata import SiteSpec

_LIMIT = 24
# Mid greys and saturated hues that read on a white page and on a black one, for the background is transparent.
_INK = "#7d8799"
_RULE = "#7d879955"
_POSITIVE = "#e8743b"
_NEGATIVE = "#3f83d8"
_TOTAL = "#8a63d2"


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


def draw_waterfall(bars: Sequence[tuple[str, float]], logit: float, residual: float) -> bytes:
    """Draws the bars end to end from zero to the logit.

    Args:
        bars: Name and value of each, as from ``group_by_layer``.
        logit: The explained score.
        residual: The score minus the sum of the terms.

    Returns:
        A PNG on a transparent background.
    """
    values = [value for _, value in bars]
    ends = list(accumulate(values))
    starts = [0.0, *ends[:-1]]
    names = [*(name for name, _ in bars), "logit"]
    figure = Figure(figsize=(6.8, 1.1 + 0.235 * len(names)), dpi=150)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    rows = range(len(names))
    colours = [_POSITIVE if value >= 0 else _NEGATIVE for value in values]
    axes.barh(rows[:-1], values, left=starts, color=colours, height=0.66)
    axes.barh(rows[-1], logit, color=_TOTAL, height=0.66)
    for row, end in enumerate(ends):
        axes.plot([end, end], [row - 0.33, row + 1.33], color=_INK, linewidth=0.7)
    axes.axvline(0, color=_RULE, linewidth=1)
    _label_bars(axes, [*zip(starts, ends, values, strict=True), (0.0, logit, logit)])
    axes.set_yticks(rows, names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(colors=_INK, labelsize=8, length=0)
    axes.set_xlabel(f"contribution to the logit (left over: {_brief(residual)})", color=_INK, fontsize=8)
    axes.grid(axis="x", color=_RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in axes.spines.values():
        side.set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, transparent=True, bbox_inches="tight", pad_inches=0.08)
    return buffer.getvalue()


def _brief(value: float) -> str:
    return f"{value:.1e}".replace("e-0", "e-").replace("-", "−") if value else "0"


def _label_bars(axes: Any, bars: Sequence[tuple[float, float, float]]) -> None:
    """Writes each bar's value to the right of it, and leaves room for the longest."""
    right = [max(start, end) for start, end, _ in bars]
    left = [min(start, end) for start, end, _ in bars]
    span = max(*right, 0.0) - min(*left, 0.0) or 1.0
    for row, (position, (_, _, value)) in enumerate(zip(right, bars, strict=True)):
        axes.text(
            position + 0.012 * span, row, f"{value:+.2f}".replace("-", "−"), color=_INK, fontsize=7.5, va="center"
        )
    axes.set_xlim(min(*left, 0.0) - 0.02 * span, max(*right, 0.0) + 0.12 * span)
