"""Three networks with outputs of more axes than (N, K), in plain PyTorch; nothing in them knows of fgcompile.

- ``RetinaNet``: candidates at every place of two resolutions, with torchvision's heads: ``logits (N, A, K)``, ``boxes
  (N, A, 4)``.
- ``Detr``: queries that look for a shape each, as DETR has them: ``logits (N, Q, K + 1)``, the last class being no
  shape, ``boxes (N, Q, 4)``.
- ``UNet``: the class of each pixel, ``(N, 1 + K, 96, 96)``, the first being the texture.

Boxes are centre, width and height in shares of the picture.
"""

from __future__ import annotations

import math
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from examples.shapes.scenes import CLASSES, SIZE

FOLDER = Path(__file__).parent


def convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class Backbone(nn.Module):
    """Features at an eighth and a sixteenth of the resolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.eighth = nn.Sequential(
            convolution(3, 16, 2),
            convolution(16, 32, 2),
            convolution(32, 32),
            convolution(32, width, 2),
            convolution(width, width),
        )
        self.sixteenth = nn.Sequential(convolution(width, width, 2), convolution(width, width))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.eighth(x)
        return fine, self.sixteenth(fine)


class Head(nn.Module):
    """Convolutions, and a value of ``outputs`` for each place, as RetinaNet's two heads have them."""

    def __init__(self, width: int, outputs: int, bias: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.Sequential(convolution(width, width), convolution(width, width))
        self.last = nn.Conv2d(width, outputs, 3, padding=1)
        nn.init.constant_(self.last.bias, bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        return self.last(self.layers(features)).flatten(2).transpose(1, 2)  # type: ignore[no-any-return]


class RetinaNet(nn.Module):
    """A feature pyramid of two levels, and heads that both levels share; an anchor a place."""

    def __init__(self, width: int = 40) -> None:
        super().__init__()
        self.backbone = Backbone(width)
        self.lateral = nn.ModuleList([nn.Conv2d(width, width, 1), nn.Conv2d(width, width, 1)])
        self.enlarge = nn.Upsample(scale_factor=2, mode="nearest")
        self.classes = Head(width, len(CLASSES), bias=-math.log(99))  # a hundredth, as the focal loss wants it
        self.offsets = Head(width, 4)
        self.register_buffer("anchors", torch.cat([_anchors(8, 24.0), _anchors(16, 34.0)]))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        fine, coarse = self.backbone(x)
        top = self.lateral[1](coarse)
        levels = (self.lateral[0](fine) + self.enlarge(top), top)
        logits = torch.cat([self.classes(level) for level in levels], 1)
        offsets = torch.cat([self.offsets(level) for level in levels], 1)
        centres = self.anchors[:, :2] + offsets[..., :2] * self.anchors[:, 2:]
        return {"logits": logits, "boxes": torch.cat([centres, self.anchors[:, 2:] * offsets[..., 2:].exp()], -1)}


def _anchors(stride: int, side: float) -> Tensor:
    """Centre, width and height of a square at every place of a level."""
    places = (torch.arange(SIZE // stride) + 0.5) * stride
    rows, columns = torch.meshgrid(places, places, indexing="ij")
    sides = torch.full((rows.numel(),), side)
    return torch.stack([columns.flatten(), rows.flatten(), sides, sides], 1) / SIZE


class Detr(nn.Module):
    """Convolutions, a Transformer's encoder over places, and its decoder over learnt queries."""

    def __init__(self, width: int = 64, queries: int = 8) -> None:
        super().__init__()
        self.backbone = Backbone(width).eighth
        places = (SIZE // 8) ** 2
        self.places = nn.Parameter(torch.randn(places, width) * 0.1)
        self.queries = nn.Parameter(torch.randn(queries, width))
        self.encoder = nn.TransformerEncoderLayer(width, 4, 128, dropout=0.0, batch_first=True)
        layer = nn.TransformerDecoderLayer(width, 4, 128, dropout=0.0, batch_first=True)
        self.decoder = nn.TransformerDecoder(layer, 3)
        self.classes = nn.Linear(width, len(CLASSES) + 1)
        self.boxes = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 4))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        features = self.backbone(x).flatten(2).transpose(1, 2) + self.places
        seen = self.encoder(features)
        found = self.decoder(self.queries.expand(x.shape[0], -1, -1), seen)
        return {"logits": self.classes(found), "boxes": self.boxes(found).sigmoid()}


class UNet(nn.Module):
    """Three resolutions, each joined with what is enlarged from the one below."""

    def __init__(self, width: int = 12) -> None:
        super().__init__()
        self.first = nn.Sequential(convolution(3, width), convolution(width, width))
        self.second = nn.Sequential(convolution(width, 2 * width), convolution(2 * width, 2 * width))
        self.third = nn.Sequential(convolution(2 * width, 4 * width), convolution(4 * width, 4 * width))
        self.fourth = nn.Sequential(convolution(4 * width, 4 * width), convolution(4 * width, 4 * width))
        self.up_third = convolution(8 * width, 2 * width)
        self.up_second = convolution(4 * width, width)
        self.up_first = convolution(2 * width, width)
        self.shrink, self.enlarge = nn.MaxPool2d(2), nn.Upsample(scale_factor=2, mode="nearest")
        self.last = nn.Conv2d(width, 1 + len(CLASSES), 1)

    def forward(self, x: Tensor) -> Tensor:
        first = self.first(x)
        second = self.second(self.shrink(first))
        third = self.third(self.shrink(second))
        fourth = self.fourth(self.shrink(third))
        third = self.up_third(torch.cat([self.enlarge(fourth), third], 1))
        second = self.up_second(torch.cat([self.enlarge(third), second], 1))
        return self.last(self.up_first(torch.cat([self.enlarge(second), first], 1)))  # type: ignore[no-any-return]


NETWORKS: dict[str, type[nn.Module]] = {"retinanet": RetinaNet, "detr": Detr, "unet": UNet}


def weights_of(name: str) -> Path:
    """The file of a network's weights."""
    return FOLDER / f"{name}.safetensors"


def load_trained(name: str) -> nn.Module:
    """A network with the weights beside this file, in evaluation mode."""
    model = NETWORKS[name]()
    model.load_state_dict({key: value.float() for key, value in safetensors.torch.load_file(weights_of(name)).items()})
    return model.eval()
