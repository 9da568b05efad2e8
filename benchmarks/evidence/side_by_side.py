"""Whole pictures as a user gets them: fgcompile's, pytorch-grad-cam's and captum's of the same photos.

    python -m benchmarks.evidence.side_by_side

Writes ``results/side-by-side.jpg`` and ``results/side_by_side.md``: each library's maps, drawn by its own functions as
their documentation calls them, and how far apart five steps of each colour scale are over photos of any brightness for
those who see no red, green or blue. Needs the extras ``cpu`` and ``demo`` and the group ``evidence``.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

import fgcompile
from benchmarks.evidence.colour_vision import GREYS, SIGHT, least_difference
from benchmarks.evidence.methods import STEPS
from benchmarks.harness.environment import RESULTS, facts, markdown_table, publish
from benchmarks.networks.photo_artifacts import compile_for_photos
from benchmarks.networks.torchvision_shim import define_missing_operators
from fgcompile.demo.networks import Network, load_efficientnet
from fgcompile.drawing.blending import blend, style_of
from fgcompile.pictures.images import read_photo

define_missing_operators()  # before grad-cam imports torchvision

from captum.attr import IntegratedGradients  # type: ignore[import-untyped]  # noqa: E402
from captum.attr import visualization as captum_pictures  # noqa: E402
from pytorch_grad_cam import GradCAM  # type: ignore[import-untyped]  # noqa: E402
from pytorch_grad_cam.utils.image import show_cam_on_image  # type: ignore[import-untyped]  # noqa: E402

from examples.explanations.draw import PHOTOS  # noqa: E402

PACKAGES = ("fgcompile", "torch", "onnxruntime", "grad-cam", "captum", "matplotlib")

Pictures = dict[str, list[NDArray[Any]]]

LEGEND = """\
![Three photos, and their pictures by each library](side-by-side.jpg)

The predicted class of EfficientNet-Lite0. From the left: the photo as the network sees it; `Explanation.overlay()`;
Grad-CAM of the last layer that has space, by `show_cam_on_image`; `overlay()` of an artifact with `psi="signed"`;
integrated gradients (50 steps from black), by `visualize_image_attr(…, "blended_heat_map", "all")`. The methods differ,
not the drawing alone: which says more of a network is another question, which [evidence.md](evidence.md) asks. Signed
maps of a convolutional network are fine speckles in either library.

How far apart are five steps of a scale, laid over one grey? CIELAB ΔE of the two that are the most alike, at the worst
of five greys; about 2.3 is just noticeable. The columns are who looks, simulated by the matrices of Machado, Oliveira
and Fernandes (2009).
"""


def main() -> int:
    """Draws the picture and writes the report; returns the exit status."""
    torch.set_num_threads(1)
    network = load_efficientnet()
    photos = np.stack([read_photo(path, (224, 224, 3)) for path in PHOTOS])
    pictures = {"photo": list(photos), **_ours(network, photos), **_theirs(network, photos)}
    order = ("photo", "fgcompile, FullGrad", "pytorch-grad-cam, Grad-CAM", "fgcompile, signed", "captum, signed")
    _draw(RESULTS / "side-by-side.jpg", {name: pictures[name] for name in order})
    rows = [[name, *(f"{_worst(colours, sight):.1f}" for sight in SIGHT)] for name, colours in _scales().items()]
    about = facts("benchmarks.evidence.side_by_side", PACKAGES)
    publish("side_by_side", "Side by side", about, f"{LEGEND}\n{markdown_table(['scale', *SIGHT], rows)}")
    return 0


def _ours(network: Network, photos: NDArray[np.uint8]) -> Pictures:
    found: Pictures = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, psi in (("fgcompile, FullGrad", "fullgrad"), ("fgcompile, signed", "signed")):
            path = compile_for_photos(network, Path(folder) / f"{psi}.onnx", psi=psi)
            explanation = fgcompile.load(path, threads=1).explain(photos)
            found[name] = [np.asarray(one.overlay(caption=False)) for one in explanation]
    return found


def _theirs(network: Network, photos: NDArray[np.uint8]) -> Pictures:
    x = network.prepare(torch.from_numpy(photos))
    with torch.no_grad():
        target = network.model(x).argmax(1)
    cams = GradCAM(network.model, [network.model.get_submodule("_bn1")])(x, None)
    cam_pictures = [
        show_cam_on_image(photo / np.float32(255), cam, use_rgb=True) for photo, cam in zip(photos, cams, strict=True)
    ]
    black = network.prepare(torch.zeros(1, *photos.shape[1:], dtype=torch.uint8))
    integrated = IntegratedGradients(network.model).attribute(
        x, black, target=target, n_steps=STEPS, internal_batch_size=STEPS
    )
    signed = [
        _by_captum(each.permute(1, 2, 0).detach().numpy(), photo)
        for each, photo in zip(integrated, photos, strict=True)
    ]
    return {"pytorch-grad-cam, Grad-CAM": cam_pictures, "captum, signed": signed}


def _by_captum(attribution: NDArray[Any], photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """captum's picture, a pixel for each of the photo's."""
    height, width = photo.shape[:2]
    figure = Figure(figsize=(width / 100, height / 100), dpi=100)
    axes = figure.add_axes((0, 0, 1, 1))
    captum_pictures.visualize_image_attr(
        attribution, photo, "blended_heat_map", "all", plt_fig_axis=(figure, axes), use_pyplot=False
    )
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3]


def _scales() -> Mapping[str, list[NDArray[np.float64]]]:
    """Five steps of each scale over each grey: RGB ``(5, 3)``."""
    steps, signs = np.linspace(0, 1, 5), np.linspace(-1, 1, 5)

    def ours(strength: NDArray[np.float64], signed: bool) -> list[NDArray[np.float64]]:
        return [blend(np.full((1, 5, 1), grey), strength[np.newaxis], style_of(signed))[0] for grey in GREYS]

    def cam(grey: float) -> NDArray[np.float64]:
        base = np.full((1, 5, 3), grey / 255, np.float32)
        return np.asarray(show_cam_on_image(base, steps[np.newaxis].astype(np.float32), use_rgb=True)[0], np.float64)

    def captum(grey: float) -> NDArray[np.float64]:
        wide = np.repeat(np.repeat(signs, 40)[np.newaxis], 40, 0)
        drawn = _by_captum(np.repeat(wide[..., np.newaxis], 3, 2), np.full((40, 200, 3), grey, np.uint8))
        return drawn[20, 20::40].astype(np.float64)

    return {
        "fgcompile, magnitudes": ours(steps, False),
        "pytorch-grad-cam, `show_cam_on_image`": [cam(grey) for grey in GREYS],
        "fgcompile, signed": ours(signs, True),
        "captum, signed `blended_heat_map`": [captum(grey) for grey in GREYS],
    }


def _worst(colours: list[NDArray[np.float64]], sight: str) -> float:
    return min(least_difference(each, sight) for each in colours)


def _draw(path: Path, columns: Pictures) -> None:
    rows = len(next(iter(columns.values())))
    figure = Figure(figsize=(2.3 * len(columns), 2.3 * rows + 0.3), layout="constrained")
    grid = figure.subplots(rows, len(columns), squeeze=False)
    for column, (name, pictures) in enumerate(columns.items()):
        grid[0][column].set_title(name, fontsize=9)
        for row, picture in enumerate(pictures):
            grid[row][column].imshow(picture)
            grid[row][column].axis("off")
    figure.savefig(path, dpi=110, pil_kwargs={"quality": 88, "optimize": True})


if __name__ == "__main__":
    sys.exit(main())
