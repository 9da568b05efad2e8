"""Networks over long axes, in every format: gathers in place of matrices, at small sizes and at one long one."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import fgcompile
from fgcompile.compiler.ir import gathering
from fgcompile.compiler.lowering import pooling
from tests.support.networks import randomised
from tests.support.sweeps import few

FORMATS = {"onnx": ".onnx", "torchscript": ".pt", "pt2": ".pt2"}
LONG = 43_844


class Signal(nn.Module):
    """Whatever reads along one axis in its own way."""

    def __init__(self, places: int = 19) -> None:
        super().__init__()
        self.places = places
        self.first, self.second = nn.Conv1d(1, 3, 5, stride=2), nn.Conv1d(3, 3, 3, padding=1)
        self.head = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = F.softplus(self.first(F.pad(x, (3, 2), mode="reflect"))).roll(5, 2)
        x = F.interpolate(F.pad(x, (2, 2), mode="replicate"), scale_factor=1.7, mode="linear")
        x = F.softplus(self.second(F.avg_pool1d(x, 9, 2, 4)))
        x = F.adaptive_avg_pool1d(x, self.places) + F.adaptive_max_pool1d(x, self.places)
        return self.head(F.softplus(F.interpolate(x, self.places + 8, mode="nearest")).mean(2))


class Picture(nn.Module):
    """The same of two axes."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 3, 3, stride=2), nn.Conv2d(3, 3, 3, padding=1)
        self.head = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = F.softplus(self.first(F.pad(x, (1, 2, 3, 0), mode="reflect")))
        x = F.softplus(self.second(F.interpolate(x, (9, 17), mode="bicubic")))
        x = F.interpolate(x, (5, 8), mode="bilinear", antialias=True)
        return self.head(F.adaptive_avg_pool2d(F.softplus(self.second(x)), (3, 5)).mean((2, 3)))


class OfAnyLength(nn.Module):
    """What dynamic sizes allow."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv1d(1, 3, 5, stride=2, padding=2), nn.Conv1d(3, 3, 3, padding=1)
        self.head = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[2:]
        x = F.interpolate(F.softplus(self.first(x)), scale_factor=1.5, mode="linear")
        x = F.softplus(self.second(F.avg_pool1d(x, 3, 2, 1)))
        x = F.interpolate(F.interpolate(x, scale_factor=2.5, mode="nearest"), length, mode="linear", align_corners=True)
        return self.head(F.softplus(self.second(x)).mean(2))


SHAPES = {Signal: (1, 40), Picture: (1, 12, 19)}


@pytest.fixture
def _everything_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "LARGEST_MATRIX", 0)
    monkeypatch.setattr(pooling, "MOST_TAPS", 4)


def verified(model: nn.Module, x: Tensor, path: Path, **options: object) -> None:
    """Compiles, which compares with the eager full-gradient in float64, and verifies the file in its runtime."""
    fgcompile.compile(model, x, **options).save(path)
    report = fgcompile.verify(path, model, x)
    assert report.passed, report


@pytest.mark.usefixtures("_everything_is_long")
@pytest.mark.parametrize(
    ("network", "format"),
    few(product(SHAPES, ["onnx", "torchscript", "pt2"]), 1),
)
def test_in_every_format(network: type[nn.Module], format: str, tmp_path: Path) -> None:
    model, x = randomised(network()).float().eval(), torch.randn(2, *SHAPES[network])
    verified(model, x, tmp_path / f"long{FORMATS[format]}", format=format)


@pytest.mark.slow
@pytest.mark.usefixtures("_everything_is_long")
def test_of_any_length(tmp_path: Path) -> None:
    model, path = randomised(OfAnyLength()).float().eval(), tmp_path / "long.onnx"
    verified(model, torch.randn(2, 1, 48), path, dynamic_sizes=True)
    for length in (21, 96, 203):
        report = fgcompile.verify(path, model, torch.randn(3, 1, length))
        assert report.passed, report


class Shared(nn.Module):
    """Reads an axis at places that are an input, those of the first sample for all."""

    def __init__(self) -> None:
        super().__init__()
        self.rise, self.head = nn.Linear(1, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor, places: Tensor) -> Tensor:
        y = F.softplus(self.rise(x.transpose(1, 2)))
        return self.head(F.softplus(y[:, places[0]]).mean(1))


@pytest.mark.usefixtures("_everything_is_long")
def test_places_that_are_an_input(tmp_path: Path) -> None:
    model, path = randomised(Shared()).float().eval(), tmp_path / "long.onnx"
    inputs = torch.randn(2, 1, 9), torch.tensor([[8, 0, 3, 3, 5]]).repeat(2, 1)
    fgcompile.compile(model, inputs).save(path)
    report = fgcompile.verify(path, model, inputs)
    assert report.passed, report


@pytest.mark.slow
@pytest.mark.usefixtures("_everything_is_long")
def test_openvino(tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="needs OpenVINO: pip install 'fgcompile[openvino]'")
    model, x, path = randomised(Signal()).float().eval(), torch.randn(2, *SHAPES[Signal]), tmp_path / "long.onnx"
    verified(model, x, path)
    report = fgcompile.verify(path, model, x, providers=["OpenVINO"])
    assert report.passed, report


@pytest.mark.slow
def test_a_long_signal_has_a_small_artifact(tmp_path: Path) -> None:
    """In half precision too, whose largest number is beyond neither a position nor twice the length.

    Half precision alone moves this network's gradient by several hundredths of its maximum, in PyTorch too.
    """
    model, x = randomised(Signal(7_000)).float().eval(), torch.randn(1, 1, LONG)
    single, half = (fgcompile.compile(model, x, target=0, precision=kind) for kind in ("float32", "float16"))
    assert len(single.content) < 400 * LONG
    maps = []
    for artifact in (single, half):
        artifact.save(tmp_path / "long.onnx")
        maps.append(fgcompile.load(tmp_path / "long.onnx", threads=1).explain(x.numpy()).saliency)
    assert abs(maps[0] - maps[1]).max() <= 0.1 * abs(maps[0]).max()
