"""Asks the trained networks of this folder about a box, a query, a pixel and a region, and draws the answers.

    python -m examples.shapes.explain          (needs fgcompile[compile,cpu] and matplotlib)

It compiles each network to ONNX, explains held-out pictures, prints how much of the maps lies in what was asked about,
beside that part's share of the picture, and draws a picture for each beside this file. No training is needed.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from torch import Tensor

import fgcompile
from examples.shapes.networks import FOLDER, load_trained
from examples.shapes.scenes import CLASSES, SIZE, Scenes, make_scenes

Array = NDArray[Any]

PICTURES = 100
SHOWN = 3


def main() -> None:
    warnings.simplefilter("ignore", fgcompile.RulesWarning)
    scenes = make_scenes(PICTURES, torch.Generator().manual_seed(2))
    for name in ("retinanet", "detr"):
        explain_boxes(name, scenes)
    explain_pixels(scenes)
    explain_regions(scenes)


def compiled(name: str, scenes: Scenes, **options: Any) -> fgcompile.Session:
    """A network in ONNX Runtime, as an artifact."""
    artifact = fgcompile.compile(load_trained(name), scenes.images[:1], **options)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.onnx"
        artifact.save(path)
        return fgcompile.load(path)


def explain_boxes(name: str, scenes: Scenes) -> None:
    """Why this box is of that class: the candidate, or query, that fits each picture's first shape best.

    The target is an index for each axis of the logits ``(N, A, K)``, given at run time; the boxes are the model's other
    output, which the artifact returns under its own name.
    """
    outputs = ("logits", "saliency", "contributions", "residual", "model")
    session = compiled(name, scenes, output="logits", outputs=outputs, rules=RULES[name], psi=PSI[name])
    x = scenes.images.numpy()
    predicted = session.explain(x).logits
    assert predicted is not None
    kinds = scenes.labels[:, 0].numpy()
    candidates = np.take_along_axis(predicted, kinds[:, None, None], 2)[..., 0].argmax(1)
    explanation = session.explain(x, np.stack([candidates, kinds], 1))
    assert explanation.saliency is not None
    boxes = explanation.outputs["boxes"][np.arange(PICTURES), candidates]
    maps = np.abs(explanation.saliency[:, 0])
    inside = np.stack([_box_mask(box) for box in boxes])
    _report(f"{name}: the box of the first shape", maps, inside)
    titles = [f"{CLASSES[kind]}, candidate {candidate}" for kind, candidate in zip(kinds, candidates, strict=True)]
    _draw(name, scenes, maps, titles, lambda axis, index: axis.add_patch(_rectangle(boxes[index])))


RULES = {"retinanet": "taylor", "detr": "libragrad"}
PSI = {"retinanet": "fullgrad", "detr": "signed"}
"""A Transformer normalises by its own statistics, so that the paper's terms cancel."""


def explain_pixels(scenes: Scenes) -> None:
    """Why this pixel is of that class: the middle of each picture's first shape, (class, row, column) at run time."""
    session = compiled("unet", scenes)
    middle = (scenes.boxes[:, 0, :2] * SIZE).long()
    target = torch.stack([scenes.labels[:, 0] + 1, middle[:, 1], middle[:, 0]], 1).numpy()
    explanation = session.explain(scenes.images.numpy(), target)
    assert explanation.saliency is not None
    inside = np.stack([_box_mask(box) for box in scenes.boxes[:, 0].numpy()])
    _report("unet: the middle of the first shape", explanation.saliency[:, 0], inside)
    titles = [f"{CLASSES[kind - 1]} at row {row}, column {column}" for kind, row, column in target]
    maps = explanation.saliency[:, 0]
    _draw("pixel", scenes, maps, titles, lambda axis, index: axis.plot(*target[index, :0:-1], "+", color="white"))


def mean_of_region(logits: Tensor, mask: Tensor) -> Tensor:
    """The mean over a region, drawn at run time, of what speaks against texture there: a score with an input."""
    against = logits[:, 1:].amax(1) - logits[:, 0]
    return (against * mask).sum((1, 2)) / mask.sum((1, 2)).clamp(min=1)


def explain_regions(scenes: Scenes) -> None:
    """Why this region is a shape: each picture's first shape as a mask ``(N, H, W)``, given at run time."""
    mask = torch.ones(1, SIZE, SIZE)
    session = compiled("unet", scenes, target=mean_of_region, score_inputs={"mask": mask})
    own = np.stack([_box_mask(box) for box in scenes.boxes[:, 0].numpy()])
    masks = (own & (scenes.regions.numpy() == scenes.labels[:, :1, None].numpy() + 1)).astype(np.float32)
    explanation = session.explain((scenes.images.numpy(), masks))
    assert explanation.saliency is not None
    _report("unet: the region of the first shape", explanation.saliency[:, 0], own)
    _draw(
        "region",
        scenes,
        explanation.saliency[:, 0],
        ["the first shape's pixels"] * PICTURES,
        lambda axis, index: axis.contour(masks[index], [0.5], colors="white", linewidths=0.8),
    )


def _box_mask(box: Array) -> Array:
    """The pixels of a box."""
    left, top = (box[:2] - box[2:] / 2) * SIZE
    right, bottom = (box[:2] + box[2:] / 2) * SIZE
    rows, columns = np.mgrid[:SIZE, :SIZE] + 0.5
    return (columns > left) & (columns < right) & (rows > top) & (rows < bottom)


def _report(what: str, maps: Array, inside: Array) -> None:
    low = maps - maps.min((1, 2), keepdims=True)  # the paper's maps have a floor that says nothing
    shares = (low * inside).sum((1, 2)) / low.sum((1, 2)).clip(1e-12)
    highest = np.array([part.ravel()[values.argmax()] for part, values in zip(inside, maps, strict=True)])
    share, area, hits = np.median(shares), np.median(inside.mean((1, 2))), highest.mean()
    print(
        f"{what}: {100 * share:.0f} % of the map within (median of {len(maps)}), which is {100 * area:.0f} % of the "
        f"picture; the highest point within in {100 * hits:.0f} %"
    )


Mark = Callable[[Axes, int], object]
"""Draws what was asked about on a picture, or on its map, by the picture's number."""


def _draw(name: str, scenes: Scenes, maps: Array, titles: Sequence[str], mark: Mark) -> None:
    """Pictures above their maps."""
    shown = [index for index in range(PICTURES) if (scenes.labels[index] >= 0).sum() > 1][:SHOWN]
    figure, axes = plt.subplots(2, SHOWN, figsize=(2.4 * SHOWN, 5), constrained_layout=True)
    for column, index in enumerate(shown):
        axes[0, column].imshow(scenes.images[index].permute(1, 2, 0))
        axes[1, column].imshow(maps[index], cmap="magma")
        axes[0, column].set_title(titles[index], fontsize=8)
        for axis in axes[:, column]:
            axis.axis("off")
            mark(axis, index)
    figure.savefig(FOLDER / f"{name}.png", dpi=110)
    plt.close(figure)


def _rectangle(box: Array) -> Rectangle:
    centre, sides = box[:2] * SIZE, box[2:] * SIZE
    return Rectangle(centre - sides / 2 - 0.5, *sides, fill=False, color="white")


if __name__ == "__main__":
    main()
