"""Sizes are compared for every size of the input, not at the example's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.export import Dim

from fgcompile.compiler.ir.size_bounds import surely_at_most


@pytest.fixture(scope="module")
def size() -> Any:
    """A symbolic size, 64 at the example's."""
    program = torch.export.export(torch.nn.ReLU(), (torch.ones(2, 64),), dynamic_shapes=({1: Dim("length")},))
    return next(node for node in program.graph.nodes if node.op == "placeholder").meta["val"].shape[1]


AT_MOST: list[Callable[[Any], Any]] = [
    *(lambda s: s, lambda s: s // 4, lambda s: (s - 9) // 4 + 1, lambda s: (s + 1) // 2, lambda s: s - 4),
    *(lambda s: ((s - 1) // 2 + 1 - 3) // 3 + 1, lambda s: 2 * (s // 2), lambda s: 1),
]
UNKNOWN: list[Callable[[Any], Any]] = [
    *(lambda s: s + 1, lambda s: 2 * s, lambda s: 7, lambda s: s * s // 9, lambda s: s - s // 2),
]


@pytest.mark.parametrize("smaller", AT_MOST)
def test_at_most(size: Any, smaller: Callable[[Any], Any]) -> None:
    assert surely_at_most(smaller(size), size)
    assert all(smaller(number) <= number for number in range(1, 200))


@pytest.mark.parametrize("larger", UNKNOWN)
def test_not_known(size: Any, larger: Callable[[Any], Any]) -> None:
    assert not surely_at_most(larger(size), size)


def test_numbers() -> None:
    assert surely_at_most(3, 3)
    assert not surely_at_most(4, 3)
