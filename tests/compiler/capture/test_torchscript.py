"""Scripted, traced and frozen modules, and their files, compile as the modules that they were made from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.errors import CaptureError, SourceError
from tests.support.sweeps import few


class Network(nn.Module):
    """With a branch on a size, and a second input."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2))
        self.head = nn.Linear(8, 4)

    def forward(self, picture: Tensor, scale: Tensor) -> Tensor:
        hidden = self.features(picture)
        if hidden.shape[2] > 100:
            hidden = hidden * 2
        return self.head(hidden.mean((2, 3)).view(hidden.size(0), -1) * scale)


FORMS: dict[str, Callable[[nn.Module, Any], Any]] = {
    "traced": lambda model, inputs: torch.jit.trace(model, inputs),
    "scripted": lambda model, inputs: torch.jit.script(model),
    "frozen": lambda model, inputs: torch.jit.freeze(torch.jit.script(model)),
}


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return Network().eval()


def inputs(count: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(count)
    return torch.randn(count, 3, 8, 8, generator=generator), torch.rand(count, 8, generator=generator)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("form", few(FORMS, 1))
def test_torchscript_is_the_module_that_it_was_made_from(model: nn.Module, tmp_path: Path, form: str) -> None:
    scripted = FORMS[form](model, inputs(2))
    torch.jit.save(scripted, tmp_path / "model.pt")
    source = tmp_path / "model.pt" if form == "traced" else scripted
    fgcompile.compile(source, inputs(2)).save(tmp_path / "artifact.onnx")
    fgcompile.compile(model, inputs(2)).save(tmp_path / "own.onnx")
    session, own = fgcompile.load(tmp_path / "artifact.onnx"), fgcompile.load(tmp_path / "own.onnx")
    for count in (1, 3):
        given = tuple(each.numpy() for each in inputs(count))
        found, expected = session.explain(given), own.explain(given)
        np.testing.assert_allclose(found.logits, expected.logits, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(found.saliency, expected.saliency, rtol=1e-4, atol=1e-5)
    assert [spec["name"] for spec in session.metadata["inputs"]] == ["picture", "scale", "target"]
    assert session.metadata["model"]["name"] == "Network"
    assert fgcompile.verify(tmp_path / "artifact.onnx", source, inputs(2)).passed


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_examples_may_have_names(model: nn.Module) -> None:
    picture, scale = inputs(2)
    scripted = torch.jit.script(model)
    artifact = fgcompile.compile(scripted, {"scale": scale, "picture": picture})
    assert [spec["name"] for spec in artifact.metadata["inputs"]] == ["picture", "scale", "target"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_is_no_torchscript_is_said(model: nn.Module, tmp_path: Path) -> None:
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    with pytest.raises(SourceError, match=r"is a state dict or checkpoint of torch\.save"):
        fgcompile.compile(tmp_path / "weights.pt", inputs(2))
    with pytest.raises(CaptureError, match="training mode"):
        fgcompile.compile(torch.jit.script(Network()), inputs(2))
    fgcompile.compile(model, inputs(2), format="torchscript").save(tmp_path / "artifact.pt")
    with pytest.raises(SourceError, match="compiled already"):
        fgcompile.compile(tmp_path / "artifact.pt", inputs(2))
