"""Artifacts of dynamic sizes at the smallest ones: right at each that they take, and the others are refused by name."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import fgcompile
from fgcompile.compiler.checking.smallest import _apart, _difference
from fgcompile.compiler.pipeline import fuse
from fgcompile.errors import InputError
from tests.support.networks import randomised
from tests.support.sweeps import few


class Halved(nn.Module):
    """One place is left of two; ``enlarged`` brings the input's size back."""

    def __init__(self, enlarged: bool = False, border: int = 0) -> None:
        super().__init__()
        self.enlarged, self.border = enlarged, border
        self.first, self.second = nn.Conv1d(1, 3, 5, stride=2, padding=2), nn.Conv1d(3, 3, 3, padding=1)
        self.head = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[2:]
        x = F.softplus(self.first(F.pad(x, (self.border, self.border), mode="reflect") if self.border else x))
        if self.enlarged:
            x = F.interpolate(x, length, mode="linear", align_corners=True)
        return self.head(F.softplus(self.second(x)).mean(2))


@pytest.mark.parametrize(
    ("options", "smallest"),
    few([({}, 1), ({"enlarged": True}, 3), ({"border": 6}, 7)], 1),
    ids=["a place that is left", "enlarged from one place", "a border"],
)
def test_right_from_the_smallest_on(options: dict[str, int], smallest: int, tmp_path: Path) -> None:
    model, path = randomised(Halved(**options)).float().eval(), tmp_path / "small.onnx"
    artifact = fgcompile.compile(model, torch.randn(2, 1, 24), dynamic_sizes=True)
    artifact.save(path)
    assert artifact.metadata["inputs"][0].get("smallest", [1, 1, 1]) == [1, 1, smallest]
    for length in sorted({1, 2, 3, max(smallest - 1, 1), smallest, 8}):
        x = torch.randn(3, 1, length)
        if length < smallest:
            with pytest.raises(InputError, match=f"axis 2 must be at least {smallest}, not {length}"):
                fgcompile.load(path).explain(x.numpy())
        else:
            report = fgcompile.verify(path, model, x)
            assert report.passed, (length, report)


def test_a_size_at_which_there_are_other_maps_is_too_small() -> None:
    """As of a Transformer of two texts, a short one of which lies along another axis: it is no error of the model's."""
    program = fuse(randomised(Halved()).eval().double(), torch.randn(2, 1, 24, dtype=torch.float64), dynamic_sizes=True)
    assert _difference(program, [torch.randn(2, 1, 24, dtype=torch.float64)], {"logits": torch.zeros(2, 3)}) == math.inf


def test_sizes_that_the_example_tells_apart_are_told_apart() -> None:
    example = {"length": 12, "length_2": 7}
    assert _apart({"length": 4, "length_2": 4}, example) == [
        {"length": 4, "length_2": 5},
        {"length": 5, "length_2": 4},
    ]
    assert _apart({"length": 4, "length_2": 3}, example) == [{"length": 4, "length_2": 3}]
    same = {"height": 8, "width": 8}
    assert _apart({"height": 2, "width": 2}, same) == [{"height": 2, "width": 2}]
