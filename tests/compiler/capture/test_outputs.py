"""Models return more than tensors beside what is explained: None for a loss, numbers, texts, sizes."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.errors import ScoreError

Outputs = namedtuple("Outputs", "logits features")


class Returns(nn.Module):
    """A linear layer, in a structure."""

    def __init__(self, arrange: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.layer, self.arrange = nn.Linear(4, 3), arrange

    def forward(self, x: Tensor) -> Any:
        return self.arrange(self.layer(x))


STRUCTURES: dict[str, tuple[Callable[[Tensor], Any], str | int | None]] = {
    "no loss": (lambda y: (y, None), None),
    "no loss in front": (lambda y: (None, y), None),
    "numbers": (lambda y: {"count": 3, "logits": y, "scale": 0.5, "sure": True}, None),
    "a text": (lambda y: {"kind": "linear", "scores": y}, "scores"),
    "sizes": (lambda y: (y.shape, y, y.shape[0]), 1),
    "nested": (lambda y: {"hidden": [y.relu(), (None, y * 2)], "out": y}, "out"),
    "a place in a namedtuple": (lambda y: Outputs(y, y.relu()), 0),
    "a place in a mapping": (lambda y: {"features": y.relu(), "classes": y}, 1),
}


@pytest.mark.parametrize(("arrange", "output"), STRUCTURES.values(), ids=STRUCTURES)
def test_what_is_no_tensor_is_left_as_it_is(arrange: Callable[[Tensor], Any], output: str | int | None) -> None:
    model, x = Returns(arrange).double().eval(), torch.randn(3, 4, dtype=torch.float64)
    terms = fgcompile.full_gradient(model, x, target=2, output=output)
    torch.testing.assert_close(terms.score, model.layer(x)[:, 2])
    torch.testing.assert_close(terms.input_gradient, model.layer.weight[2].expand(3, 4))


def test_artifacts_of_models_that_return_none(tmp_path: Path) -> None:
    """Also where terms are means over copies, for which outputs are put together again."""
    model, x, path = Returns(lambda y: (y, None)).eval(), torch.randn(2, 4), tmp_path / "none.onnx"
    noise = fgcompile.Noise(samples=2)
    fgcompile.compile(model, x, method="smooth_fullgrad", noise=noise).save(path)
    torch.testing.assert_close(torch.from_numpy(fgcompile.load(path).explain(x.numpy()).logits), model.layer(x))


@dataclass
class Unregistered:
    logits: Tensor


WITHOUT: dict[str, tuple[Callable[[Tensor], Any], str]] = {
    "a forgotten return": (lambda y: None, r"Returns returns None \(its forward may lack a return\)"),
    "nothing in a list": (lambda y: [], "an empty list"),
    "a text": (lambda y: "cat", "'cat'"),
    "an index": (lambda y: 3, "returns 3"),
    "a probability": (lambda y: {"label": "cat", "p": 0.4}, "a dict of float, str"),
    "NumPy's": (lambda y: np.zeros((2, 3)), "an object of class ndarray"),
    "a class that PyTorch does not know": (Unregistered, "class Unregistered, .*register_dataclass"),
}


@pytest.mark.parametrize(("arrange", "message"), WITHOUT.values(), ids=WITHOUT)
def test_a_model_that_returns_no_tensor_is_refused(arrange: Callable[[Tensor], Any], message: str) -> None:
    with pytest.raises(ScoreError, match=f"{message}.*"):
        fgcompile.compile(Returns(arrange).eval(), torch.randn(2, 4))
