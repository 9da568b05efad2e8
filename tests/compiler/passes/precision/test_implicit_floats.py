"""Floats of no stated dtype, made of whole numbers, are of the graph's wherever it computes with them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import fgcompile
from tests.support.sweeps import few


class Positions(nn.Module):
    """Adds what an MLP makes of numbers that no input has."""

    def __init__(self, numbers: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.numbers, self.embed = numbers, nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 6))
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return self.head((x + self.embed(self.numbers(x, mask)[..., None])).tanh().mean(1))


NUMBERS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "places by their number": lambda x, mask: torch.arange(x.shape[1]) / x.shape[1],
    "a float's steps": lambda x, mask: torch.arange(float(x.shape[1])),
    "waves of places": lambda x, mask: torch.sin(torch.arange(x.shape[1])),
    "a share of what is there": lambda x, mask: mask.sum(1, keepdim=True) / mask.shape[1],
    "a root of a count": lambda x, mask: (mask > 0).sum(1, keepdim=True).sqrt(),
    "a scaled mask": lambda x, mask: (1 - mask) * 0.5,
}


@pytest.mark.parametrize("name", few(NUMBERS, 3))
def test_they_meet_weights_of_any_dtype(name: str) -> None:
    torch.manual_seed(0)
    model, x = Positions(NUMBERS[name]).eval(), torch.randn(2, 5, 6)
    mask = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 0]])
    artifact = fgcompile.compile(model, {"x": x, "mask": mask})
    explanation = artifact.session().explain({"x": x.numpy(), "mask": mask.numpy()})
    torch.testing.assert_close(torch.as_tensor(explanation.logits), model(x, mask).detach())
    assert fgcompile.verify(artifact, model, {"x": x, "mask": mask}).passed
