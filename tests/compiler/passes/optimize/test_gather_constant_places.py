"""Values added at constant places are gathered by the places, however many meet in one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from fgcompile.compiler.passes.optimize.fold_constants import fold_constants
from fgcompile.compiler.passes.optimize.gather_constant_places import gather_constant_places
from tests.compiler.passes.texts import operators, run_alone, traced

PLACES = {
    "a permutation": [3, 0, 2, 4, 1],
    "some twice, some never": [1, 1, 4, 0, 1],
    "many in one": [2] * 75 + [0] * 9 + [4],
    "all in the last": [4] * 700,
}


@pytest.mark.parametrize("name", PLACES)
def test_sums_at_places(name: str) -> None:
    places = torch.tensor(PLACES[name])

    def function(x: Tensor) -> Tensor:
        return x.new_zeros(2, 5, 3).index_add(1, places, x)

    x = torch.randn(2, len(places), 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    graph_module = traced(function, x)
    run_alone(fold_constants, graph_module)
    run_alone(gather_constant_places, graph_module)
    graph_module.graph.lint()
    assert "index_add" not in operators(graph_module)
    torch.testing.assert_close(graph_module(x), function(x), rtol=1e-12, atol=1e-12)


def test_a_permutation_is_one_gather() -> None:
    places = torch.tensor(PLACES["a permutation"])
    graph_module = traced(lambda x: x.new_zeros(5).index_add(0, places, x), torch.randn(5))
    run_alone(fold_constants, graph_module)
    run_alone(gather_constant_places, graph_module)
    graph_module.graph.eliminate_dead_code()
    assert operators(graph_module) == ["index_select"]
