"""An index that is an input and out of range is refused by name, never an empty map."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import fgcompile
from fgcompile.errors import InputError
from tests.support.sweeps import few


class Rows(nn.Module):
    """Logits (N, 3) of (N, 5, 4) after something at places that are an input."""

    def __init__(self, middle: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.last, self.middle = nn.Linear(4, 4), nn.Linear(4, 3), middle

    def forward(self, x: Tensor, at: Tensor) -> Tensor:
        return self.last(self.middle(self.first(x), at).tanh().mean(1))


def write(y: Tensor, at: Tensor) -> Tensor:
    z = y * 1.0
    z[torch.arange(y.shape[0]), at] = y[:, 0] * 2
    return z


CASES: dict[str, tuple[Callable[[Tensor, Tensor], Tensor], int, int, str]] = {
    "written": (write, -5, 4, "give 0 to 4, or -1 to -5 from the end"),
    "scattered": (lambda y, at: y.scatter(1, at[:, None, None].expand(-1, 1, 4), y[:, :1] * 2), 0, 4, "give 0 to 4"),
    "moved": (lambda y, at: y[torch.arange(y.shape[0]), at + 1, None], -6, 3, "give -1 to 3, or -2 to -6"),
    "a class": (lambda y, at: y * F.one_hot(at + 2, 4)[:, None], -2, 1, "give -2 to 1"),
}


@pytest.mark.parametrize("name", few(CASES, 2))
def test_places_are_held_to_the_axis(name: str, tmp_path: Path) -> None:
    middle, first, last, words = CASES[name]
    torch.manual_seed(0)
    model, x, at = Rows(middle).eval(), torch.randn(2, 5, 4), torch.tensor([0, 1])
    fgcompile.compile(model, (x, at), outputs=("logits", "saliency", "input_gradient")).save(tmp_path / "a.onnx")
    session = fgcompile.load(tmp_path / "a.onnx")
    for place in (first, last):
        at = torch.full((2,), place)
        leaf = x.clone().requires_grad_()
        (expected,) = torch.autograd.grad(model(leaf, at).amax(1).sum(), leaf)
        found = session.explain((x.numpy(), at.numpy()))
        torch.testing.assert_close(torch.as_tensor(found.input_gradient), expected, rtol=1e-4, atol=1e-6)
    for place in (first - 1, last + 1):
        with pytest.raises(InputError, match=f"at has {place} at index .* out of range: {words}"):
            session.explain((x.numpy(), np.full(2, place)))


def test_targets_of_a_loss_are_classes(tmp_path: Path) -> None:
    def score(output: Tensor, at: Tensor) -> Tensor:
        return -F.cross_entropy(output, at, reduction="none")

    torch.manual_seed(0)
    model, x = nn.Linear(4, 3).eval(), torch.randn(2, 4)
    at = torch.zeros(2, dtype=torch.int64)
    artifact = fgcompile.compile(model, x, target=score, score_inputs={"at": at}, outputs=("logits", "contributions"))
    artifact.save(tmp_path / "a.onnx")
    session = fgcompile.load(tmp_path / "a.onnx")
    targets = torch.tensor([2, -100])
    found = session.explain((x.numpy(), targets.numpy()))
    expected = score(model(x), targets).detach()
    torch.testing.assert_close(torch.as_tensor(found.contributions).sum(1), expected, rtol=1e-5, atol=1e-6)
    for wrong in (3, -1):
        with pytest.raises(InputError, match=f"at has {wrong} at index .* out of range: give 0 to 2"):
            session.explain((x.numpy(), np.array([0, wrong])))
