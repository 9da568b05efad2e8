"""What the logits say of a detector's score: beside the score itself in PyTorch, which shares no code."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from fgcompile.artifact.metadata import Metadata, loads
from fgcompile.artifact.scores import candidate_of_logits, score_of_logits
from fgcompile.errors import ArtifactError
from fgcompile.media.boxes import Boxes
from fgcompile.scores import Box
from tests.support.tiny_artifacts import dumps, tiny_metadata

ROWS = np.random.default_rng(0).normal(size=(9, 8)).astype(np.float32)
"""9 candidates, of 8 numbers each."""


def artifact_of(score: Box) -> Metadata:
    """Metadata of an artifact that explains the score, of logits as it takes them."""
    arguments = {
        each.name: value for each in dataclasses.fields(score) if (value := getattr(score, each.name)) != each.default
    }
    logits = {"name": "logits", "dtype": "float32", "shape": ["batch", *((9, 8) if score.axis == 1 else (8, 9))]}
    settings: dict[str, Any] = {
        "outputs": [logits, {"name": "saliency", "dtype": "float32", "shape": ["batch", 1, 64, 64]}],
        "target": "score",
        "scored": {"name": "Box", "arguments": arguments},
        "labels": None,
    }
    return loads(dumps(tiny_metadata(**settings)), "artifact")


@pytest.mark.parametrize(
    "score",
    [
        Box.yolov8(2),
        Box.yolov8(2, probabilities=False),
        Box.yolov8(candidate=3, probabilities=False),
        Box.yolov5(1),
        Box.yolov5(1, probabilities=False),
        Box.detr(),
        Box.detr(2, 4),
        Box.retinanet(-1),
        Box(background=True, probabilities=True, first=1),
    ],
)
def test_the_logits_say_value_and_candidate(score: Box) -> None:
    rows = 1 / (1 + np.exp(-ROWS)) if score.probabilities else ROWS
    head = torch.from_numpy(rows if score.axis == 1 else rows.T.copy())
    metadata = artifact_of(score)
    assert score_of_logits(head.numpy(), metadata) == pytest.approx(score(head[None])[0].item(), abs=1e-5)
    each = [dataclasses.replace(score, candidate=number)(head[None])[0].item() for number in range(9)]
    expected = int(np.argmax(each)) if score.candidate == -1 else score.candidate
    assert candidate_of_logits(head.numpy(), metadata) == expected


def test_a_candidate_that_a_call_names_is_not_said_by_the_logits() -> None:
    metadata = artifact_of(Box.retinanet(1, None))
    assert score_of_logits(ROWS, metadata) is None
    assert candidate_of_logits(ROWS, metadata) is None
    with pytest.raises(ArtifactError, match="does not fit its logits"):
        score_of_logits(ROWS, artifact_of(Box.retinanet(8)))


def test_the_box_of_the_best_candidate_is_drawn() -> None:
    head = np.zeros((9, 8), np.float32)
    head[5, 6], head[5, :4] = 4, (16, 8, 8, 4)
    metadata = artifact_of(Box(2, first=4))
    boxes = Boxes("logits", "cxcywh")
    boxes.require(metadata)
    found = boxes.of(None, head, (32, 64), metadata, head)
    assert found == (12 / 64, 6 / 32, 20 / 64, 10 / 32)
