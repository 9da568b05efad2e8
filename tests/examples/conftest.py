"""Artifacts and photos for the examples: trained digits, and a small colour network that is not square."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import fgcompile
from benchmarks.networks.photo_artifacts import compile_for_photos
from benchmarks.networks.samples import find_pictures, load_digit_network, load_photo_network

HEIGHT, WIDTH = 48, 64
BIRDS = ["auk", "bittern", "crane", "dotterel", "eagle", "falcon"]
PLACES = ["sky", "sea", "land", "ship"]


def compile_colours(path: Path, fit: fgcompile.Fit | None = None, **options: Any) -> Path:
    """An untrained network for photos of HEIGHT × WIDTH."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 5, stride=2), nn.ReLU6(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, padding=1), nn.SiLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, len(BIRDS)),
    )  # fmt: skip
    preprocess = fgcompile.Preprocess((0.5, 0.5, 0.5), (0.2, 0.2, 0.2), fit=fit)
    x = torch.randn(2, 3, HEIGHT, WIDTH)
    fgcompile.compile(model.eval(), x, preprocess=preprocess, labels=BIRDS, **options).save(path)
    return path


def compile_places(path: Path, **options: Any) -> Path:
    """An untrained segmenter for the same photos: its output is (N, 4, HEIGHT, WIDTH)."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 5, stride=2, padding=2), nn.ReLU(), nn.Conv2d(8, 8, 3, padding=1), nn.SiLU(),
        nn.Upsample(scale_factor=2), nn.Conv2d(8, len(PLACES), 1),
    )  # fmt: skip
    preprocess = fgcompile.Preprocess((0.5, 0.5, 0.5), (0.2, 0.2, 0.2))
    x = torch.randn(2, 3, HEIGHT, WIDTH)
    fgcompile.compile(model.eval(), x, preprocess=preprocess, labels=PLACES, **options).save(path)
    return path


class Detector(nn.Module):
    """An untrained detector's class logits for the same photos, (N, 3, 48): of each of 6 × 8 candidates."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Conv2d(3, 8, 8, stride=8), nn.SiLU(), nn.Conv2d(8, 3, 3, padding=1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.trunk(x).flatten(2)


def compile_candidates(path: Path, **options: Any) -> Path:
    """The detector, whose targets are a class and a candidate."""
    torch.manual_seed(0)
    preprocess = fgcompile.Preprocess((0.5, 0.5, 0.5), (0.2, 0.2, 0.2))
    x = torch.randn(2, 3, HEIGHT, WIDTH)
    fgcompile.compile(Detector().eval(), x, preprocess=preprocess, **options).save(path)
    return path


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_colours(tmp_path_factory.mktemp("colours") / "colours.onnx")


@pytest.fixture(scope="session")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_places(tmp_path_factory.mktemp("places") / "places.onnx")


@pytest.fixture(scope="session")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_colours(tmp_path_factory.mktemp("three") / "three.onnx", targets=3)


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_for_photos(load_digit_network(), tmp_path_factory.mktemp("digits") / "digits.onnx")


@pytest.fixture(scope="session")
def efficientnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_for_photos(load_photo_network(), tmp_path_factory.mktemp("efficientnet") / "efficientnet.onnx")


@pytest.fixture(scope="session")
def photos() -> list[Path]:
    return [picture.path for picture in find_pictures("imagenet")]


@pytest.fixture(scope="session")
def digit_pictures() -> list[Path]:
    return [picture.path for picture in find_pictures("mnist")]


def largest_difference(session: fgcompile.Session, found: dict[str, Any], target: Any = None) -> float:
    """Explains the pixels that an example was given, and returns by how much its map differs, of the map's maximum."""
    shape = session.metadata["inputs"][0]["shape"][1:]
    pixels = np.array(found["pixels"], dtype=np.uint8).reshape(1, *shape)
    expected = session.explain(pixels, target)
    assert expected.logits is not None
    assert expected.saliency is not None
    logits = np.array(found["logits"], dtype=np.float32)
    saliency = np.array(found["saliency"], dtype=np.float32).reshape(expected.saliency.shape)
    np.testing.assert_allclose(logits, expected.logits[0], rtol=0, atol=1e-4 * np.abs(expected.logits).max())
    return float(np.abs(saliency - expected.saliency).max() / expected.saliency.max())
