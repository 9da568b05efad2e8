"""Sizes that nobody said, or that do not go together, are told: a source's input, and a resize below the crop."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

import fgcompile
from fgcompile.artifact.fitting import Fit
from fgcompile.errors import CaptureWarning
from tests.cli.results import Run

NET = """
from torch import nn
Net = lambda: nn.Sequential(nn.Conv2d(3, 2, 3, stride=2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 3)).eval()
"""


def test_a_resize_below_the_crop_and_a_size_that_is_assumed_are_told(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sizes_net.py").write_text(NET)
    pictures = ["--mean", "0.5", "--std", "0.5", "--resize", "32"]
    made = run("compile", "sizes_net:Net", "-o", "models/of/net.onnx", "--input", "3x48x64", *pictures)
    assert made.status == 0
    assert Path("models/of/net.onnx").is_file()  # -o makes its folder
    assert "pictures are resized to 32 x 32, and the model takes 48 x 64: what is left is black" in made.err
    assert "give --resize 48x64 or more" in made.err
    assert "filled up to 48 × 64" in made.out
    assert "--input" not in made.err
    assumed = run("compile", "sizes_net:Net", "-o", "net.onnx")
    assert "nothing says of what size the model's input is: 3x224x224 is taken" in assumed.err


@pytest.mark.parametrize(
    ("fit", "told"),
    [(Fit("squash", (8, 4)), True), (Fit("crop", (8, 8)), False), (Fit("letterbox", (9, 8)), False), (Fit(), False)],
)
def test_in_python_too(fit: Fit, told: bool) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 2)).eval()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fgcompile.compile(model, torch.zeros(1, 3, 8, 8), preprocess=fgcompile.Preprocess(0.5, 0.5, fit=fit))
    found = [each for each in caught if issubclass(each.category, CaptureWarning)]
    assert [Path(each.filename).name for each in found] == ["test_sizes_told.py"] * told
    assert fit.fills_up((8, 8)) == told
