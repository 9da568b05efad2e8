"""The figures of the evidence: curves with their confidence intervals, and maps side by side."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib import colormaps
from matplotlib.figure import Figure

from benchmarks.evidence.methods import Maps
from benchmarks.evidence.subjects import Images
from benchmarks.harness.plots import MARKERS
from fgcompile.drawing.palettes import palette_of
from fgcompile.drawing.scale import scale_of


@dataclass(frozen=True)
class Band:
    """A curve.

    Attributes:
        x: Its abscissas.
        y: At each, the mean and both ends of its confidence interval.
    """

    x: Sequence[float]
    y: Sequence[Sequence[float]]


def draw_bands(
    path: Path, panels: Mapping[str, Mapping[str, Band]], xlabel: str, title: str, bottom: float | None = 0
) -> None:
    """Draws panels side by side, as a PNG, the curves of each by their names, with one legend below.

    Their ordinates begin at ``bottom``, or where the curves do if that is None.
    """
    figure = Figure(figsize=(max(5 * len(panels), 9), 4.6), layout="constrained")
    for axes, (name, curves) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        for i, (label, band) in enumerate(curves.items()):
            colour = colormaps["tab20"](2 * i % 20 + 2 * i // 20)
            means, lows, highs = zip(*band.y, strict=True)
            axes.plot(band.x, means, MARKERS[i % len(MARKERS)] + "-", color=colour, label=label, markersize=4)
            axes.fill_between(band.x, lows, highs, color=colour, alpha=0.12, linewidth=0)
        axes.set(title=name, xlabel=xlabel)
        axes.title.set_fontsize(9)
        axes.set_ylim(bottom=bottom)
        axes.grid(alpha=0.3)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize="small")
    figure.suptitle(title)
    figure.savefig(path.with_suffix(".png"), dpi=110)


def draw_maps(path: Path, images: Images, maps: Mapping[str, Maps]) -> None:
    """Draws a row for each image, uint8 ``(N, H, W, C)``: itself and its map by each method, ``(N, H, W)`` by name."""
    shape, coloured = (len(images), 1 + len(maps)), palette_of().colour
    figure = Figure(figsize=(shape[1], shape[0] + 0.5), layout="constrained")
    rows = figure.subplots(*shape, squeeze=False)
    for row, image, *found in zip(rows, images, *maps.values(), strict=True):
        tiles = [image / 255, *(coloured(scale_of(saliency).strength(saliency)) / 255 for saliency in found)]
        for axes, tile in zip(row, tiles, strict=True):
            axes.imshow(tile, cmap="gray", vmin=0, vmax=1)
            axes.axis("off")
    for axes, name in zip(rows[0], ["image", *maps], strict=True):
        axes.set_title("\n".join(textwrap.wrap(name, 14)), fontsize=7)
    figure.savefig(path, dpi=130, pil_kwargs={"quality": 88, "optimize": True})
