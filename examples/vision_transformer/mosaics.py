"""The task: one quadrant of a mosaic holds a garment, the others clutter, so it is known where the evidence lies."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

CLASSES = ("T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
SAMPLES = Path(__file__).parent / "samples.npz"


@dataclass(frozen=True)
class Garments:
    """Images of Fashion-MNIST, uint8 ``(N, 28, 28)``, and their classes, int64 ``(N,)``."""

    images: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Mosaics:
    """Mosaics in [0, 1], ``(N, 1, 56, 56)``, their labels, and the quadrants (row by row) with the garments."""

    images: Tensor
    labels: Tensor
    quadrants: Tensor

    def evidence(self) -> Tensor:
        """1.0 in the garment's quadrant, else 0.0: ``(N, 1, 56, 56)``."""
        return _joined(F.one_hot(self.quadrants, 4).float()[:, :, None, None].expand(-1, -1, 28, 28))


def read_garments(folder: Path, split: str) -> Garments:
    """Reads the split ``"train"`` or ``"t10k"`` of the data set's own gzip files."""
    images = gzip.decompress((folder / f"{split}-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / f"{split}-labels-idx1-ubyte.gz").read_bytes())
    return _garments(
        np.frombuffer(images, np.uint8, offset=16).reshape(-1, 28, 28), np.frombuffer(labels, np.uint8, offset=8)
    )


def load_samples() -> Garments:
    """The first 20 test images of each class, which are kept beside this file."""
    with np.load(SAMPLES) as samples:
        return _garments(samples["images"], samples["labels"])


def make_mosaics(garments: Garments, generator: torch.Generator) -> Mosaics:
    """Puts each garment into a random quadrant, and smooth noise, which tells nothing of its class, into the others."""
    count = len(garments.labels)
    noise = torch.rand(count, 4, 7, 7, generator=generator)
    parts = F.interpolate(noise, size=28, mode="bilinear")
    quadrants = torch.randint(4, (count,), generator=generator)
    parts[torch.arange(count), quadrants] = garments.images / 255
    return Mosaics(_joined(parts), garments.labels, quadrants)


def _garments(images: np.ndarray, labels: np.ndarray) -> Garments:
    return Garments(torch.from_numpy(images.copy()), torch.from_numpy(labels.astype(np.int64)))


def _joined(parts: Tensor) -> Tensor:
    """``(N, 4, 28, 28)`` to ``(N, 1, 56, 56)``."""
    return parts.reshape(-1, 2, 2, 28, 28).transpose(2, 3).reshape(-1, 1, 56, 56)
