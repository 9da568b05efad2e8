"""The same pictures in matplotlib's axes, for those who go on drawing: what is in them can be changed there."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL.Image import Image

from fgcompile.drawing.bars import Table
from fgcompile.drawing.blending import Style, blend
from fgcompile.drawing.captions import ColourBar
from fgcompile.drawing.colormaps import require_matplotlib
from fgcompile.drawing.scale import Scale, number_of
from fgcompile.drawing.series import Series
from fgcompile.drawing.subjects import Shown, Subject
from fgcompile.errors import InputError

_MIDDLE_GREY = 128.0


def plot(subject: Subject, shown: Shown, signed: bool, style: Style, axes: Any = None) -> Any:
    """Draws an input under its map into matplotlib's axes, with a colour bar.

    Args:
        subject: The input.
        shown: The map.
        signed: Whether its sign says something.
        style: Colours and opacity.
        axes: matplotlib's ``Axes``; None for those of a new figure of pyplot's.

    Returns:
        The axes.

    Raises:
        InputError: ``axes`` are none.
        MissingPackageError: matplotlib is not installed.
    """
    axes = _axes(axes)
    scale = subject.scale(shown.saliency, signed)
    if isinstance(subject, Table):
        _plot_table(subject, shown, scale, style, axes)
    elif isinstance(subject, Series) and subject.values is not None:
        _plot_series(subject, shown, scale, style, axes)
    else:
        axes.imshow(subject.over(shown.saliency, scale, style, shown.marks))
        axes.axis("off")
    axes.set_title(" · ".join(filter(None, (shown.title, shown.detail))))
    if bar := subject.bar(scale, style):
        _add_bar(bar, axes)
    return axes


def plot_picture(picture: Image, axes: Any = None) -> Any:
    """Draws a picture as it is, which has its own words: arguments, result and error are those of ``plot``."""
    axes = _axes(axes)
    axes.imshow(np.asarray(picture))
    axes.axis("off")
    return axes


def _axes(given: Any) -> Any:
    require_matplotlib("plot")
    from matplotlib.axes import Axes

    if given is not None and not isinstance(given, Axes):
        raise InputError(f"axes is a {type(given).__name__}: give one of matplotlib's Axes, or None for new ones")
    if given is not None:
        return given
    from matplotlib import pyplot

    return pyplot.subplots(layout="constrained")[1]


def _plot_table(table: Table, shown: Shown, scale: Scale, style: Style, axes: Any) -> None:
    places = list(table.shown)
    colours = style.palette.over(scale.strength(shown.saliency[places])) / 255
    names = [f"{table.names[place]} = {number_of(float(table.values[place]))}" for place in places]
    axes.barh(range(len(places)), shown.saliency[places], color=colours)
    axes.set_yticks(range(len(places)), names)
    axes.invert_yaxis()


def _plot_series(series: Series, shown: Shown, scale: Scale, style: Style, axes: Any) -> None:
    assert series.values is not None
    colours = blend(np.full((1, series.length, 1), _MIDDLE_GREY), scale.strength(shown.saliency)[np.newaxis], style)
    low, high = float(series.values.min()), float(series.values.max())
    margin = 0.05 * (high - low) or 1.0
    extent = (-0.5, series.length - 0.5, low - margin, high + margin)
    axes.imshow(colours / 255, aspect="auto", extent=extent, interpolation="nearest")
    for line in series.values:
        axes.plot(line, color="white", linewidth=1)


def _add_bar(bar: ColourBar, axes: Any) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import ListedColormap, Normalize

    colours, scale = bar.colours(256)[0] / 255, bar.scale
    mappable = ScalarMappable(Normalize(scale.low, scale.high), ListedColormap(colours))
    axes.figure.colorbar(mappable, ax=axes, label="what adds, and what takes" if scale.signed else "saliency")
