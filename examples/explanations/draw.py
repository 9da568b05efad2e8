"""Draws the pictures of docs/pictures.md: `python -m examples.explanations.draw [--only photos signal volume table]`.

Needs fgcompile[cpu,demo]. EfficientNet-Lite0 and three photos with known licences (photos/README.md), and three small
networks that learn in a minute what a signal, a volume and a table show.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from PIL.Image import Image
from torch import nn

import fgcompile
from examples.explanations.tasks import (
    NAMES,
    Batch,
    learn,
    signal_network,
    signals,
    table,
    table_network,
    volume_network,
    volumes,
)
from fgcompile.demo.networks import load_efficientnet
from fgcompile.demo.pictures import PHOTOS as DEMO
from fgcompile.pictures.images import read_photo

FOLDER = Path(__file__).parent
PHOTOS = [*(picture.path for picture in DEMO if picture.path.stem != "rocket"), FOLDER / "photos" / "tower.jpg"]


def photos(folder: Path) -> None:
    """The pictures of photos: whole, side by side, signed, and a waterfall."""
    network = load_efficientnet()
    outputs = ("logits", "saliency", "contributions", "residual")
    preprocess = fgcompile.Preprocess(network.mean, network.std)
    x = torch.zeros(2, *network.input_shape)
    plain, signed = (
        fgcompile.compile(network.model, x, outputs=outputs, preprocess=preprocess, labels=network.labels, psi=psi)
        for psi in ("fullgrad", "signed")
    )
    session = plain.session(threads=1)
    whole = {path.stem: path for path in PHOTOS}
    names = list(whole)
    batch = np.stack([read_photo(path, (224, 224, 3)) for path in whole.values()])
    explanation = session.explain(batch)
    for name, one in zip(names, explanation, strict=True):
        print(f"{name}: {', '.join(f'{each.name} {each.score:.2f}' for each in one.top(3))}")
    cat, espresso, tower = (names.index(name) for name in ("cat", "espresso", "tower"))
    write(explanation[tower].overlay(whole["tower"]), folder / "tower-overlay.jpg")
    write(explanation[cat].panel(), folder / "cat-panel.jpg")
    write(explanation[espresso].waterfall(), folder / "espresso-waterfall.png")
    first, second = (
        session.explain(batch[espresso : espresso + 1], each.index) for each in explanation[espresso].top(2)
    )
    write(first.beside(second), folder / "espresso-beside.jpg")
    write(signed.session(threads=1).explain(batch[cat : cat + 1]).panel(), folder / "cat-signed.jpg")


def signal(folder: Path) -> None:
    """A signal under its map."""
    overlay_of_second_class(signal_network, signals, 150, ("all echoes", "an echo is missing"), folder / "signal.png")


def volume(folder: Path) -> None:
    """Slices of a volume under its map."""
    overlay_of_second_class(volume_network, volumes, 120, ("all alike", "one is brighter"), folder / "volume.jpg")


def overlay_of_second_class(
    network: Callable[[], nn.Module], data: Callable[[int, int], Batch], steps: int, labels: tuple[str, str], path: Path
) -> None:
    """Trains a network on a task, and draws the first of 8 inputs that is of its second class under the map."""
    model, right = learn(network, data, steps)
    print(f"{path.stem}: {right:.1%} right")
    x, classes = data(8, 0)
    artifact = fgcompile.compile(model, x[:2], labels=labels)
    chosen = int(np.flatnonzero(classes == 1)[0])
    write(artifact.session(threads=1).explain(x)[chosen].overlay(), path)


def tables(folder: Path) -> None:
    """The bars of a table, signed."""
    model, right = learn(table_network, table, 300)
    print(f"table: {right:.1%} right")
    x, _ = table(8, 0)
    artifact = fgcompile.compile(model, x[:2], labels=("safe", "overloaded"), psi="signed")
    write(artifact.session(threads=1).explain(x)[0].overlay(names=NAMES), folder / "table.png")


def write(image: Image, path: Path) -> None:
    """Writes a picture in the format that its name says."""
    options = {"quality": 88} if path.suffix == ".jpg" else {}
    image.save(path, optimize=True, **options)


DRAWN: Mapping[str, Callable[[Path], None]] = {"photos": photos, "signal": signal, "volume": volume, "table": tables}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m examples.explanations.draw", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=DRAWN, default=list(DRAWN), metavar="NAME")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.only:
        DRAWN[name](options.folder)
