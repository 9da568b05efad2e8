"""A map of zeros on everything that a model was tried with is said, and no other is."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.errors import CaptureWarning

X = torch.randn(2, 1, 4, 4, generator=torch.Generator().manual_seed(0))


class Network(nn.Module):
    def __init__(self, end: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.head, self.end = nn.Linear(16, 3), end
        nn.init.constant_(self.head.weight, 1 / 16)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.head(x.flatten(1)))


@pytest.mark.parametrize("end", [lambda y: (y + 99).clamp(0, 1), lambda y: (-1 - y.abs()).relu(), lambda y: y * 0])
def test_a_score_that_is_flat_wherever_it_was_tried_is_said(end: Callable[[Tensor], Tensor]) -> None:
    with pytest.warns(CaptureWarning, match="the map is 0 everywhere") as told:
        artifact = fgcompile.compile(Network(end), X)
    assert not artifact.session().explain(X).saliency.any()
    assert [warning.filename for warning in told if "the map is 0" in str(warning.message)] == [__file__]


@pytest.mark.parametrize(
    ("end", "example"),
    [(lambda y: y.clamp(-9, 9), X), (lambda y: (y - 5).relu(), X + 10)],
    ids=["alive", "alive on the example alone"],
)
def test_nothing_is_said_of_others(end: Callable[[Tensor], Tensor], example: Tensor) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", CaptureWarning)
        fgcompile.compile(Network(end), example)
