"""Draws the 20 pictures of examples/README.md: `python examples/make_overlays.py` (needs fgcompile[cpu,demo])."""

from pathlib import Path

import numpy as np
import torch

import fgcompile
from fgcompile.artifact.elements import class_score
from fgcompile.demo.networks import load_efficientnet
from fgcompile.drawing.panels import draw_panel
from fgcompile.media.images import read_photo

FOLDER = Path(__file__).parent / "efficientnet_lite0"

network = load_efficientnet()
artifact = fgcompile.compile(
    network.model,
    torch.zeros(2, *network.input_shape),
    preprocess=fgcompile.Preprocess(network.mean, network.std),
    labels=network.labels,
)
FOLDER.mkdir(exist_ok=True)
artifact.save(FOLDER / "model.onnx")
session = fgcompile.load(FOLDER / "model.onnx")
(FOLDER / "model.onnx").unlink()

channels, height, width = network.input_shape
print("| file | label | predicted | score |")
print("| --- | --- | --- | --- |")
for picture in network.pictures:
    photo = read_photo(picture.path, (height, width, channels))
    explanation = session.explain(photo[np.newaxis])
    predicted = class_score(explanation.logits[0], int(explanation.target[0]), network.labels)
    panel = draw_panel(photo, explanation.saliency[0, 0], predicted.name, f"score {predicted.score:.2f}")
    panel.save(FOLDER / f"{picture.path.stem}.jpg", quality=85, optimize=True)
    print(f"| {picture.path.stem}.jpg | {network.labels[picture.label]} | {predicted.name} | {predicted.score:.2f} |")
