"""The plots of the reports, as PNG and SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

MARKERS = "osD^v<>Pp*hX"

Curve = Mapping[float, float]
"""y by x."""


def draw_ratios(path: Path, ratios: Mapping[str, Mapping[str, float]], title: str) -> None:
    """Draws how many forward passes each method costs, a column for each network, on a logarithmic axis.

    Args:
        path: The file, without its suffix.
        ratios: The ratio by network, by method; a method that did not work on a network is left out there.
        title: Above the axes.
    """
    networks = list(dict.fromkeys(network for by_network in ratios.values() for network in by_network))
    figure = Figure(figsize=(2.5 + 1.3 * max(len(networks), 4), 5.5), layout="constrained")
    axes = figure.add_subplot()
    for i, (method, by_network) in enumerate(ratios.items()):
        shift = 0.6 * ((i + 0.5) / len(ratios) - 0.5)
        places = [networks.index(network) + shift for network in by_network]
        axes.plot(places, list(by_network.values()), MARKERS[i % len(MARKERS)], label=method)
    axes.set_yscale("log")
    axes.axhline(1, color="grey", linewidth=0.8)
    axes.set_xticks(range(len(networks)), networks, rotation=20)
    _finish(figure, [axes], path, title, "time ÷ forward pass in the same runtime")


def draw_curves(path: Path, panels: Mapping[str, Mapping[str, Curve]], xlabel: str, title: str) -> None:
    """Draws curves side by side in panels with one x axis each; the name of a panel is its y axis'."""
    figure = Figure(figsize=(5 * len(panels), 4), layout="constrained")
    all_axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (ylabel, curves) in zip(all_axes, panels.items(), strict=True):
        for i, (name, curve) in enumerate(curves.items()):
            axes.plot(list(curve), list(curve.values()), f"-{MARKERS[i % len(MARKERS)]}", label=name)
        axes.set_xlabel(xlabel)
        axes.set_ylabel(ylabel)
        axes.set_ylim(bottom=0)
    _finish(figure, all_axes, path, title)


def _finish(figure: Figure, all_axes: Sequence[Axes], path: Path, title: str, ylabel: str | None = None) -> None:
    for axes in all_axes:
        axes.grid(True, axis="y", which="both", alpha=0.3)
        if ylabel is not None:
            axes.set_ylabel(ylabel)
    figure.legend(*all_axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize="small")
    figure.suptitle(title)
    with mpl.rc_context({"svg.hashsalt": "fgcompile", "svg.fonttype": "none"}):  # the same file for the same figures
        figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
    figure.savefig(path.with_suffix(".png"), dpi=120)
