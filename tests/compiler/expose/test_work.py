"""Exposure asks nothing of the whole graph for each bias: an unrolled network has thousands of them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, fx, nn

import fgcompile


class Repeated(nn.Module):
    """A layer that is called over and over, as the cell of an unrolled network is."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.cell, self.steps = nn.Linear(3, 3), steps

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self.steps):
            x = torch.tanh(self.cell(x))
        return x


def _searches(steps: int, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """How many searches of a graph an exposure makes, and the number of sites."""
    found, search = [], fx.Graph.find_nodes

    def counted(graph: fx.Graph, **wanted: Any) -> Any:
        found.append(wanted)
        return search(graph, **wanted)

    with monkeypatch.context() as patch:
        patch.setattr(fx.Graph, "find_nodes", counted)
        program = fgcompile.expose_biases(Repeated(steps).eval(), torch.zeros(2, 3))
    return len(found), len(program.sites)


def test_the_searches_of_the_graph_do_not_grow_with_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    few, sites = _searches(2, monkeypatch)
    many, more_sites = _searches(12, monkeypatch)
    assert (sites, more_sites) == (4, 24)
    assert many == few
