"""Pictures to learn from: one to three circles, squares and triangles of any colour on textures, 96 × 96."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

SIZE = 96
CLASSES = ("circle", "square", "triangle")
MOST = 3
"""The most shapes of a picture."""

RADII = (9.0, 19.0)


@dataclass(frozen=True)
class Scenes:
    """A batch of pictures.

    Attributes:
        images: ``(N, 3, 96, 96)``, from 0 to 1.
        boxes: Centre, width and height of each shape in shares of the picture, ``(N, 3, 4)``.
        labels: Each shape's class, ``(N, 3)``, −1 where there are fewer.
        regions: The class of each pixel, 0 for the texture, 1 for circles and so on, ``(N, 96, 96)``.
    """

    images: Tensor
    boxes: Tensor
    labels: Tensor
    regions: Tensor


def make_scenes(count: int, generator: torch.Generator) -> Scenes:
    """Draws pictures; the same state of the generator draws the same."""
    made = [_scene(generator) for _ in range(count)]
    return Scenes(*(torch.stack(parts) for parts in zip(*made, strict=True)))


def _scene(generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    def draw(low: float, high: float) -> float:
        return low + (high - low) * torch.rand((), generator=generator).item()

    image, region = _texture(generator), torch.zeros(SIZE, SIZE, dtype=torch.int64)
    boxes, labels = torch.zeros(MOST, 4), torch.full((MOST,), -1)
    rows, columns = torch.meshgrid(torch.arange(SIZE) + 0.5, torch.arange(SIZE) + 0.5, indexing="ij")
    wanted = int(torch.randint(1, MOST + 1, (), generator=generator))
    for _ in range(20):  # a place that is taken is given up
        if (found := int((labels >= 0).sum())) == wanted:
            break
        radius = draw(*RADII)
        x, y = draw(radius + 1, SIZE - radius - 1), draw(radius + 1, SIZE - radius - 1)
        kind = int(torch.randint(len(CLASSES), (), generator=generator))
        inside = _inside(kind, (columns - x) / radius, (rows - y) / radius)
        around = (columns - x).abs().maximum((rows - y).abs()) < radius + 2
        if (region[around] > 0).any():
            continue
        colour = torch.rand(3, 1, 1, generator=generator)
        image = torch.where(inside, 0.75 * colour + 0.25 * image, image)
        region[inside] = kind + 1
        boxes[found] = torch.tensor([x, y, 2 * radius, 2 * radius]) / SIZE
        labels[found] = kind
    return image.clamp(0, 1), boxes, labels, region


def _inside(kind: int, x: Tensor, y: Tensor) -> Tensor:
    """Where a shape of half the box's side 1 is."""
    if CLASSES[kind] == "circle":
        return x.square() + y.square() <= 1
    if CLASSES[kind] == "square":
        return x.abs().maximum(y.abs()) <= 1
    return (y <= 1) & (2 * x.abs() <= y + 1)


def _texture(generator: torch.Generator) -> Tensor:
    """Noise of three scales about a colour."""
    base = torch.rand(3, 1, 1, generator=generator)
    for cells, strength in ((6, 0.25), (24, 0.2), (96, 0.15)):
        noise = torch.randn(1, 3, cells, cells, generator=generator) * strength
        base = base + F.interpolate(noise, (SIZE, SIZE), mode="bilinear", align_corners=False)[0]
    return base.clamp(0, 1)
