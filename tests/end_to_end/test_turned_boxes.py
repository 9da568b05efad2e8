"""A detector's output whose axes are turned: refused where it can be told, and only there."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.errors import ScoreError
from fgcompile.scores import Box

NAMES = ["cat", "dog", "eel"]


class Detector(nn.Module):
    """Boxes in pixels, or as parts of the picture, and probabilities: ``(N, 4 + 3, A)``, or turned."""

    def __init__(self, turned: bool, pixels: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.head = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 4 + len(NAMES), 1)
        self.turned, self.scale = turned, 300.0 if pixels else 1.0

    def forward(self, x: Tensor) -> Tensor:
        y = self.head(torch.relu(self.stem(x))).flatten(2)
        y = torch.cat([self.scale * y[:, :4].sigmoid(), y[:, 4:].sigmoid()], 1)
        return y.transpose(1, 2) if self.turned else y


@pytest.mark.parametrize(
    ("pixels", "options", "why"),
    [
        (True, {}, "only there are all numbers behind the box probabilities"),
        (False, {"labels": NAMES}, "there are labels for 3 classes"),
        (False, {"dynamic_sizes": True}, "depends on the size of the input"),
    ],
)
def test_a_turned_output_is_refused_with_the_box_to_use(pixels: bool, options: dict[str, Any], why: str) -> None:
    model, x = Detector(True, pixels).eval(), torch.randn(2, 3, 12, 12)
    with pytest.raises(ScoreError, match=why) as raised:
        fgcompile.compile(model, x, target=Box.yolov8(1), **options)
    advised = str(raised.value).rpartition("use ")[2]
    assert eval(advised, {"Box": Box}) == Box(1, axis=1, first=4, probabilities=True)
    assert "on axis 2 of the output" in str(raised.value)


@pytest.mark.slow
def test_the_box_that_is_advised_compiles_and_so_does_an_output_that_is_as_it_should_be() -> None:
    x = torch.randn(2, 3, 12, 12)
    for turned, box in ((True, Box(1, axis=1, first=4, probabilities=True)), (False, Box.yolov8(1))):
        artifact = fgcompile.compile(Detector(turned, pixels=False).eval(), x, target=box, labels=NAMES)
        assert artifact.metadata["labels"] == NAMES


@pytest.mark.parametrize("candidates", [2, 5, 7, 8, 300])
@pytest.mark.parametrize("pixels", [True, False])
@pytest.mark.parametrize("classes", [3, 80])
def test_outputs_that_lie_right_are_never_refused(candidates: int, pixels: bool, classes: int) -> None:
    """However few candidates there are; and labels that are of neither axis are told elsewhere."""
    generator = torch.Generator().manual_seed(0)
    boxes = torch.rand(2, 4, candidates, generator=generator) * (640 if pixels else 1)
    probabilities = torch.rand(2, classes, candidates, generator=generator)
    yolov8 = torch.cat([boxes, probabilities], 1)
    yolov5 = torch.cat([boxes, probabilities[:, :1], probabilities], 1).transpose(1, 2)
    detr = torch.randn(2, candidates, classes + 1, generator=generator)
    retinanet = torch.randn(2, candidates, classes, generator=generator)
    heads = [(Box.yolov8(0), yolov8), (Box.yolov5(0), yolov5), (Box.detr(0), detr), (Box.retinanet(0), retinanet)]
    for box, head in heads:
        box.own_inputs(head)
        box.require_classes(head, classes)
        box.require_classes(head, 1000)
        assert box(head).shape == (2,)
