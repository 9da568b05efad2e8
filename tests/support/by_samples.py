"""A small network of photos that loops over its samples, so that it is compiled for a number of them, or for any."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import fgcompile

SHAPE = (16, 16, 3)


class BySamples(nn.Module):
    """Five classes of photos, one sample after the other; ``at_once`` all together, which is the same."""

    def __init__(self, at_once: bool = False) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.conv, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4, 5)
        self.at_once = at_once

    def forward(self, x: Tensor) -> Tensor:
        parts = [x] if self.at_once else [x[index : index + 1] for index in range(x.shape[0])]
        return torch.cat([self.head(torch.relu(self.conv(part)).mean((2, 3))) for part in parts])


def compile_by_samples(batch: int | None) -> fgcompile.Artifact:
    """The artifact of so many samples a call; of any number of the network that takes any."""
    preprocess = fgcompile.Preprocess((0.5,) * 3, (0.25,) * 3)
    model = BySamples(at_once=batch is None).eval()
    return fgcompile.compile(model, torch.zeros(2, 3, 16, 16), preprocess=preprocess, batch=batch)
