"""Trains the network of this folder on mosaics of Fashion-MNIST, on one CPU core, and writes the files beside it.

The data set: `apt-get download dataset-fashion-mnist && dpkg -x dataset-fashion-mnist_*.deb .`, no root needed. Then

    python -m examples.vision_transformer.train --data usr/share/datasets/fashion-mnist

takes about six minutes of one core's time. The network then names 85.7 % of 10 000 test mosaics rightly.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from examples.vision_transformer.mosaics import CLASSES, SAMPLES, Garments, make_mosaics, read_garments
from examples.vision_transformer.network import WEIGHTS, VisionTransformer

BATCH = 64


def train(garments: Garments, epochs: int, seed: int) -> VisionTransformer:
    """Trains with new mosaics in every epoch; the same seed gives the same weights."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    model = VisionTransformer()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1.5e-3, weight_decay=0.05)
    steps = epochs * (len(garments.labels) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.5e-3, total_steps=steps, pct_start=0.1)
    began = time.monotonic()
    for epoch in range(epochs):
        correct = 0
        order = torch.randperm(len(garments.labels), generator=generator)
        for count, chosen in enumerate(order.split(BATCH)[: steps // epochs], start=1):
            mosaics = make_mosaics(Garments(garments.images[chosen], garments.labels[chosen]), generator)
            logits = model(mosaics.images)
            optimizer.zero_grad()
            F.cross_entropy(logits, mosaics.labels).backward()
            optimizer.step()
            schedule.step()
            correct += int((logits.argmax(1) == mosaics.labels).sum())
            if count % 100 == 0:
                elapsed = time.monotonic() - began
                print(f"epoch {epoch + 1} step {count:4} accuracy {correct / (100 * BATCH):.3f} {elapsed:4.0f} s")
                correct = 0
    return model.eval()


@torch.inference_mode()
def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The share of images whose largest logit is their label's."""
    predicted = torch.cat([model(part).argmax(1) for part in images.split(500)])
    return float((predicted == labels).float().mean())


def save_samples(garments: Garments, each: int = 20) -> None:
    """Keeps the first images of each class, uint8, for what follows training."""
    chosen = torch.cat([(garments.labels == label).nonzero().flatten()[:each] for label in range(len(CLASSES))])
    labels = garments.labels[chosen].to(torch.uint8)
    np.savez_compressed(SAMPLES, images=garments.images[chosen].numpy(), labels=labels.numpy())


def main() -> None:
    """Trains, tests, and writes the weights and samples."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder with the four .gz files of Fashion-MNIST")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = train(read_garments(arguments.data, "train"), arguments.epochs, arguments.seed)
    test = read_garments(arguments.data, "t10k")
    mosaics = make_mosaics(test, torch.Generator().manual_seed(arguments.seed))
    print(f"test accuracy {accuracy(model, mosaics.images, mosaics.labels):.4f} on {len(test.labels)} mosaics")
    safetensors.torch.save_file(model.state_dict(), WEIGHTS)
    save_samples(test)


if __name__ == "__main__":
    main()
