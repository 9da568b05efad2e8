"""A detector's raw output is noticed where its largest element would be explained, and nothing else is."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.errors import CaptureWarning
from fgcompile.scores import Box
from tests.support.sweeps import few


class Detector(nn.Module):
    """(N, 4 + K, A): centres and sizes in pixels, and each class's sigmoid; or candidates first, or logits."""

    def __init__(self, candidates_first: bool = False, probabilities: bool = True) -> None:
        super().__init__()
        self.trunk, self.box, self.kind = nn.Conv2d(3, 8, 3, 4), nn.Conv2d(8, 4, 1), nn.Conv2d(8, 3, 1)
        self.candidates_first, self.probabilities = candidates_first, probabilities

    def forward(self, x: Tensor) -> Tensor:
        features = self.trunk(x).relu()
        boxes, kinds = 16 * self.box(features).exp(), 3 * self.kind(features)
        found = torch.cat([boxes, kinds.sigmoid() if self.probabilities else kinds], 1).flatten(2)
        return found.transpose(1, 2) if self.candidates_first else found


def compile_detector(model: nn.Module, **options: Any) -> None:
    torch.manual_seed(0)
    fgcompile.compile(model.eval(), torch.randn(1, 3, 19, 19), **options)


@pytest.mark.parametrize("candidates_first", few([False, True], 1))
def test_coordinates_beside_probabilities_are_named(candidates_first: bool) -> None:
    shape = r"\(N, 25, 7\)" if candidates_first else r"\(N, 7, 25\)"
    with pytest.warns(CaptureWarning, match=f"the output {shape} looks like boxes.*Box.yolov8"):
        compile_detector(Detector(candidates_first))


@pytest.mark.parametrize(
    ("model", "options"),
    few(
        [
            (Detector(), {"target": Box(first=4, axis=2, probabilities=True)}),
            (Detector(), {"target": lambda output: output[:, 5, 2]}),
            (Detector(probabilities=False), {}),
            (nn.Sequential(nn.Conv2d(3, 7, 3, 4), nn.Softplus(), nn.Flatten(2)), {}),
        ],
        3,
    ),
)
def test_nothing_else_is(model: nn.Module, options: dict[str, Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", CaptureWarning)
        compile_detector(model, **options)
