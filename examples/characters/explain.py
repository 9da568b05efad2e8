"""Why is the third character a 7? A reader of five digits, trained here in a minute, and a map for each that it reads.

    python -m examples.characters.explain          (needs fgcompile[compile,cpu] and matplotlib)

The reader's output is ``(N, 5, 10)``: at each position the ten digits. It is compiled for five targets in a call, each
a position and a digit, −1 for the one that is read there; so one call explains all five characters of a strip.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor, nn

import fgcompile

Array = NDArray[Any]

HEIGHT, WIDTH, LENGTH = 32, 128, 5
FONT = Path(fgcompile.__file__).parent / "media" / "DejaVuSans.ttf"
KEPT, BATCH, SECONDS, HELD_OUT, SHOWN = 3000, 64, 40, 200, 3


@dataclass(frozen=True)
class Strips:
    """Pictures of five digits, of varying size and spacing.

    Attributes:
        photos: uint8 ``(N, 32, 128, 1)``.
        digits: ``(N, 5)``.
        boxes: Left, top, right and bottom of each, ``(N, 5, 4)``.
    """

    photos: Array
    digits: Array
    boxes: Array


def draw_strips(count: int, seed: int) -> Strips:
    """Digits in grey on a noisy ground, from a seed."""
    random = np.random.default_rng(seed)
    made = [_strip(random) for _ in range(count)]
    return Strips(*(np.stack(parts) for parts in zip(*made, strict=True)))


def _strip(random: np.random.Generator) -> tuple[Array, Array, Array]:
    digits, boxes = random.integers(0, 10, LENGTH), np.zeros((LENGTH, 4))
    strip = Image.new("L", (WIDTH, HEIGHT))
    draw, left = ImageDraw.Draw(strip), random.uniform(2, 14)
    for place, digit in enumerate(digits):
        font = _font(int(random.integers(18, 27)))
        box = font.getbbox(str(digit))
        top = random.uniform(1, HEIGHT - 1 - (box[3] - box[1]))
        draw.text((left - box[0], top - box[1]), str(digit), int(random.integers(150, 256)), font)
        boxes[place] = left, top, left + box[2] - box[0], top + box[3] - box[1]
        left = boxes[place, 2] + random.uniform(3, 10)
    ground = random.normal(60, 18, (HEIGHT, WIDTH)) + random.uniform(-30, 30) * np.linspace(-1, 1, WIDTH)
    photo = np.maximum(np.asarray(strip, np.float64), ground) + random.normal(0, 8, (HEIGHT, WIDTH))
    return photo.clip(0, 255).astype(np.uint8)[..., None], digits, boxes


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FONT, size)


class Reader(nn.Module):
    """Convolutions, and at each of five positions a layer that reads all of the strip; nothing knows of fgcompile."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in ((1, 16), (16, 32), (32, 48)):
            layers += [nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        self.positions = nn.Linear(48 * (HEIGHT // 8) * (WIDTH // 8), LENGTH * 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.positions(self.features(x).flatten(1)).unflatten(1, (LENGTH, 10))


def prepare(photos: Array) -> Tensor:
    """What the network takes: float32 ``(N, 1, 32, 128)`` in [−1, 1]; the artifact does the same by itself."""
    return torch.from_numpy(photos).permute(0, 3, 1, 2) / 127.5 - 1


def train_reader(seconds: float) -> Reader:
    """As many steps as fit into the CPU time, at a rate that falls to nothing."""
    torch.manual_seed(0)
    reader, strips = Reader(), draw_strips(KEPT, seed=0)
    x, digits = prepare(strips.photos), torch.from_numpy(strips.digits)
    optimizer = torch.optim.AdamW(reader.parameters(), lr=3e-3, weight_decay=1e-2)
    began = time.process_time()
    while (gone := (time.process_time() - began) / seconds) < 1:
        optimizer.param_groups[0]["lr"] = 3e-3 * (1 - gone)
        chosen = torch.randint(KEPT, (BATCH,))
        moved = x[chosen].roll(int(torch.randint(-3, 4, ())), 2)
        optimizer.zero_grad()
        F.cross_entropy(reader(moved).flatten(0, 1), digits[chosen].flatten()).backward()
        optimizer.step()
    return reader.eval()


def compile_reader(reader: Reader, path: Path) -> fgcompile.Session:
    """The reader as an artifact that takes strips as they are, and five targets in a call."""
    artifact = fgcompile.compile(
        reader,
        torch.zeros(1, 1, HEIGHT, WIDTH),
        targets=LENGTH,
        preprocess=fgcompile.Preprocess(mean=(0.5,), std=(0.5,)),
        labels=[str(digit) for digit in range(10)],
    )
    artifact.save(path)
    return fgcompile.load(path)


def explain_characters(session: fgcompile.Session, photos: Array) -> fgcompile.Explanation:
    """Each position of each strip: maps ``(N, 5, 1, 32, 128)``, and in ``target`` the digit that is read there."""
    return session.explain(photos, [[position, -1] for position in range(LENGTH)])


def shares_within(maps: Array, boxes: Array) -> Array:
    """How much of each map, above its floor, lies in the character's box, ``(N, 5)``."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    left, top, right, bottom = (boxes[..., side, None, None] for side in range(4))
    inside = (columns > left) & (columns < right) & (rows > top) & (rows < bottom)
    low = maps - maps.min((2, 3), keepdims=True)  # the paper's maps have a floor that says nothing
    return np.asarray((low * inside).sum((2, 3)) / low.sum((2, 3)))


def main() -> None:
    reader, strips = train_reader(SECONDS), draw_strips(HELD_OUT, seed=1)
    with tempfile.TemporaryDirectory() as folder:
        explanation = explain_characters(compile_reader(reader, Path(folder) / "reader.onnx"), strips.photos)
    assert explanation.saliency is not None
    assert explanation.target is not None
    read, maps = explanation.target[..., 1], explanation.saliency[:, :, 0]
    sizes = np.prod(strips.boxes[..., 2:] - strips.boxes[..., :2], -1) / (HEIGHT * WIDTH)
    print(
        f"{100 * (read == strips.digits).mean():.1f} % of {read.size} characters read; of a character's map "
        f"{100 * np.median(shares_within(maps, strips.boxes)):.0f} % lies in its box (median), which is "
        f"{100 * np.median(sizes):.0f} % of the strip"
    )
    draw(strips, maps, read)


def draw(strips: Strips, maps: Array, read: Array) -> None:
    """Three strips, and below each the maps of its five characters, on one scale."""
    figure, axes = plt.subplots(1 + LENGTH, SHOWN, figsize=(3.2 * SHOWN, 5.4), constrained_layout=True)
    for column in range(SHOWN):
        axes[0, column].imshow(strips.photos[column], cmap="gray")
        for position, axis in enumerate(axes[1:, column]):
            axis.imshow(maps[column, position], cmap="magma", vmin=maps[column].min(), vmax=maps[column].max())
            axis.set_title(f"character {position + 1}: {read[column, position]}", fontsize=8)
        for axis in axes[:, column]:
            axis.axis("off")
    figure.savefig(Path(__file__).with_name("characters.jpg"), dpi=100)
    plt.close(figure)


if __name__ == "__main__":
    main()
