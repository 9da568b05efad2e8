"""What metadata call the axes of an output."""

from __future__ import annotations

import pytest

from fgcompile.compiler.description import _lies_over


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
