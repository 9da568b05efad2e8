"""A signal, a volume and a table whose classes rest on known places, and small networks that learn them in seconds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Batch = tuple[NDArray[np.float32], NDArray[np.int64]]

NAMES = ("length", "width", "height", "weight", "age", "load", "speed", "noise")
"""Of the table's numbers."""


def signals(count: int, seed: int) -> Batch:
    """Beats over a slow wave, ``(N, 1, 400)``. Of class 1 one of them is missing its echo, the small bump behind it."""
    random = np.random.default_rng(seed)
    time = np.arange(400.0)
    x = 0.1 * np.sin(time / 50 + random.uniform(0, 6, (count, 1))) + 0.03 * random.normal(size=(count, 400))
    labels = random.integers(0, 2, count)
    missing = random.integers(0, 5, count)
    for beat in range(5):
        place = 40 + 75 * beat + random.integers(-6, 7, (count, 1))
        echo = np.where((labels == 1) & (missing == beat), 0.0, 0.35)[:, np.newaxis]
        x += np.exp(-(((time - place) / 4) ** 2)) + echo * np.exp(-(((time - place - 24) / 6) ** 2))
    return x[:, np.newaxis].astype(np.float32), labels


def volumes(count: int, seed: int) -> Batch:
    """Three balls in noise, ``(N, 1, 16, 48, 48)``. Of class 1 one of them is brighter than the others."""
    random = np.random.default_rng(seed)
    z, y, x = np.mgrid[:16, :48, :48]
    labels = random.integers(0, 2, count)
    found = 0.15 * random.normal(size=(count, 16, 48, 48))
    for number, label in enumerate(labels):
        for ball, middle in enumerate(random.permutation([(12, 12), (12, 36), (36, 24)])):
            away = 4 * (z - random.uniform(4, 12)) ** 2 + (y - middle[0]) ** 2 + (x - middle[1]) ** 2
            found[number][away < 81] += 1.6 if label == 1 and ball == 0 else 1.0
    return found[:, np.newaxis].astype(np.float32), labels


def table(count: int, seed: int) -> Batch:
    """Eight numbers, ``(N, 8)``, of which two decide: class 1 is a large load at a small height."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, 8)).astype(np.float32)
    return x, (x[:, 5] - x[:, 2] > 0).astype(np.int64)


def signal_network() -> nn.Module:
    """Three convolutions over time, and the largest of each channel."""
    layers = [nn.Conv1d(1, 16, 9, padding=4), nn.ReLU(), nn.MaxPool1d(2), nn.Conv1d(16, 16, 9, padding=4), nn.ReLU()]
    layers += [nn.MaxPool1d(2), nn.Conv1d(16, 16, 9, padding=4), nn.ReLU(), nn.AdaptiveMaxPool1d(1)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(16, 2))


def volume_network() -> nn.Module:
    """Two convolutions over space, and the largest of each channel."""
    layers = [nn.Conv3d(1, 8, 3, stride=2, padding=1), nn.ReLU(), nn.Conv3d(8, 16, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveMaxPool3d(1), nn.Flatten(), nn.Linear(16, 2))


def table_network() -> nn.Module:
    """Two linear layers."""
    return nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 2))


def learn(network: Callable[[], nn.Module], data: Callable[[int, int], Batch], steps: int) -> tuple[nn.Module, float]:
    """A network trained for so many steps of 32 samples, and the share of 200 others that it gets right."""
    torch.manual_seed(0)
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    for step in range(steps):
        x, labels = map(torch.from_numpy, data(32, step + 1))
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), labels).backward()
        optimizer.step()
    x, labels = map(torch.from_numpy, data(200, 0))
    with torch.no_grad():
        right: Tensor = model.eval()(x).argmax(1) == labels
    return model, float(right.float().mean())
