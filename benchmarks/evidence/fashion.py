"""Fashion-MNIST, and a VGG-like network with BatchNorm for it.

The data set (MIT) is in Debian: `apt-get download dataset-fashion-mnist && dpkg -x dataset-fashion-mnist_*.deb .`, no
root needed, puts it under ``usr/share/datasets/fashion-mnist``.

    python -m benchmarks.evidence.fashion --data usr/share/datasets/fashion-mnist

trains the network whose weights are kept beside this file.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.evidence.command import run_command
from examples.vision_transformer.mosaics import Garments, read_garments
from examples.vision_transformer.train import accuracy as share_of_hits

INSTALLED = Path("/usr/share/datasets/fashion-mnist")
"""Where Debian's package puts it."""

WEIGHTS = Path(__file__).with_name("fashion.safetensors")

MEAN, STD = 0.2860, 0.3530
"""Of the training images, on the scale where white is 1."""

_WIDTHS = (8, 0, 16, 16, 0, 32, 32)  # 0: max pooling
_BATCH = 128
_RATE = 0.01


class FashionNetwork(nn.Module):
    """Convolutions with BatchNorm and ReLU, max pooling, a global average and a linear layer."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1
        for width in _WIDTHS:
            if width:
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
                channels = width
            else:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, 1, 28, 28)`` to logits ``(N, 10)``."""
        logits: Tensor = self.classifier(self.features(x).mean((2, 3)))
        return logits


def read_fashion(folder: Path | None, split: str) -> Garments:
    """The split ``"train"`` (60,000) or ``"t10k"`` (10,000) of the data set.

    Raises:
        FileNotFoundError: It is not there; the message says how to get it.
    """
    folder = folder or INSTALLED
    try:
        return read_garments(folder, split)
    except FileNotFoundError:
        raise FileNotFoundError(
            f"no Fashion-MNIST in {folder}: `apt-get download dataset-fashion-mnist && "
            "dpkg -x dataset-fashion-mnist_*.deb .`, then --data usr/share/datasets/fashion-mnist"
        ) from None


def prepare(images: Tensor) -> Tensor:
    """Images, uint8 ``(N, 28, 28)``, as the network takes them: float ``(N, 1, 28, 28)``."""
    return ((images / 255 - MEAN) / STD).unsqueeze(1)


def train(
    garments: Garments, epochs: int, seed: int, progress: Callable[[float], None] = lambda done: None
) -> FashionNetwork:
    """Trains a new network; the same seed on the same machine gives the same weights.

    Args:
        garments: The images and their labels.
        epochs: How often it sees each image.
        seed: Of the weights and the order of the images.
        progress: Called with the share of the steps that are done.
    """
    torch.manual_seed(seed)
    model = FashionNetwork()
    optimizer = torch.optim.AdamW(model.parameters(), lr=_RATE, weight_decay=1e-3)
    steps = epochs * -(-len(garments.labels) // _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=_RATE, total_steps=steps, pct_start=0.2)
    done = 0
    for _ in range(epochs):
        for chosen in torch.randperm(len(garments.labels)).split(_BATCH):
            optimizer.zero_grad()
            F.cross_entropy(model(prepare(garments.images[chosen])), garments.labels[chosen]).backward()
            optimizer.step()
            schedule.step()
            done += 1
            progress(done / steps)
    return model.eval()


def accuracy(model: nn.Module, garments: Garments) -> float:
    """The share of images whose largest logit is their label's."""
    return share_of_hits(model, prepare(garments.images), garments.labels)


def load_trained() -> FashionNetwork:
    """The network with the weights that are kept beside this file."""
    model = FashionNetwork()
    model.load_state_dict(safetensors.torch.load_file(WEIGHTS))
    return model.eval()


def main() -> int:
    """Trains, prints the accuracy on the test images, writes the weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help=f"the folder of the data set, {INSTALLED} by default")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    model = train(read_fashion(options.data, "train"), options.epochs, options.seed)
    print(f"accuracy on the 10,000 test images: {accuracy(model, read_fashion(options.data, 't10k')):.2%}")
    safetensors.torch.save_file(model.state_dict(), WEIGHTS)
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
