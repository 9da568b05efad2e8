"""Draws the pictures of examples/README.md, or of photos: `python examples/make_overlays.py [PHOTO …]`."""

import sys
from pathlib import Path

import numpy as np
import torch

import fgcompile
from fgcompile.artifact.elements import class_score
from fgcompile.demo.networks import load_efficientnet
from fgcompile.drawing.panels import draw_panel
from fgcompile.pictures.images import read_photo

FOLDER = Path(__file__).parent / "efficientnet_lite0"

network = load_efficientnet()
artifact = fgcompile.compile(
    network.model,
    torch.zeros(2, *network.input_shape),
    preprocess=fgcompile.Preprocess(network.mean, network.std),
    labels=network.labels,
)
session = artifact.session()

channels, height, width = network.input_shape
print("| file | predicted | score |")
print("| --- | --- | --- |")
for path in map(Path, sys.argv[1:]) if sys.argv[1:] else [picture.path for picture in network.pictures]:
    photo = read_photo(path, (height, width, channels))
    explanation = session.explain(photo[np.newaxis])
    predicted = class_score(explanation.logits[0], int(explanation.target[0]), network.labels)
    panel = draw_panel(photo, explanation.saliency[0, 0], predicted.name, f"score {predicted.score:.2f}")
    panel.save(FOLDER / f"{path.stem}.jpg", quality=88, optimize=True)
    print(f"| {path.stem}.jpg | {predicted.name} | {predicted.score:.2f} |")
