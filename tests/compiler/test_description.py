"""What metadata call the axes of an output, and a score that was a function."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from torch import Tensor, nn

from fgcompile.compiler.description import _lies_over, _score
from fgcompile.scores import Box, Difference, Region


def margin(logits: Tensor) -> Tensor:
    return logits[:, 0] - logits[:, 1]


@dataclass
class Own:
    """A score of a user's, of which one argument is written otherwise each time."""

    weight: object
    classes: tuple[Any, ...]
    power: float = 2.0


@pytest.mark.parametrize(
    ("score", "name"),
    [
        (margin, "margin"),
        (Difference(3, 5), "Difference(a=3, b=5)"),
        (Region(15, rows=(0, 40)), "Region(index=15, rows=(0, 40))"),
        (Box.yolov8(3), "Box(index=3, axis=2, first=4, probabilities=True)"),
        (Own(object(), (1, "b")), "Own(classes=(1, 'b'))"),
        (Own(object(), (object(),)), "Own()"),
        (nn.Identity(), "Identity"),
        (partial(margin), "margin"),
        (lambda logits: logits[:, 0], None),
    ],
)
def test_a_score_is_called_by_what_says_which_it_is(score: Any, name: str | None) -> None:
    assert _score(score) == ({} if name is None else {"score": name})
    assert _score(None) == {}


@pytest.mark.parametrize(
    ("axes", "space", "lies"),
    [
        ((48, 64), (48, 64), True),
        (("height", "width"), ("height", "width"), True),
        ((12, 16), (48, 64), True),  # a segmenter of stride 4
        ((12, 32), (48, 64), False),  # of two strides
        ((7, 7), (32, 32), False),
        ((1, 1), (8, 8), False),  # a class's logit with two axes more
        ((5,), (10,), False),  # of a sequence any number would divide its length
        (("height // 4", 3), ("height", 12), False),
    ],
)
def test_a_grid_over_the_map_is_height_and_width(
    axes: tuple[int | str, ...], space: tuple[int | str, ...], lies: bool
) -> None:
    assert _lies_over(axes, space) == lies
