"""The artifacts that are changed: a small network in three formats, compiled whole and on demand."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.artifact.names import SUFFIXES

LABELS = ("a", "b", "c", "d", "e")
SIDE = 16
OUTPUTS = ("logits", "saliency", "contributions", "residual", "input_gradient")
KINDS = ("whole", "on-demand")


class Network(nn.Module):
    """Two convolutions with normalisation, a residual sum, and a linear head: biases of several kinds."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.conv = nn.Conv2d(6, 6, 3, padding=1)
        self.head = nn.Linear(6, len(LABELS))

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, 5) of pictures (N, 3, 16, 16)."""
        y = torch.relu(self.norm(self.stem(x)))
        return self.head(torch.relu(self.conv(y) + y).mean((2, 3)))


def make_subject(folder: Path, format: str, kind: str) -> Path:
    """The path of an artifact, which is compiled where it is not there yet."""
    path = folder / f"{format}-{kind}{SUFFIXES[format]}"
    if not path.exists():
        torch.manual_seed(0)
        options = {"format": format, "outputs": OUTPUTS, "labels": LABELS, "on_demand": kind == "on-demand"}
        folder.mkdir(parents=True, exist_ok=True)
        fgcompile.compile(Network().eval(), torch.randn(2, 3, SIDE, SIDE), **options).save(path)
    return path
