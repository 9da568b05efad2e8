"""Two halves of a value are the value."""

from __future__ import annotations

import torch

from fgcompile.compiler.passes.optimize.merge_halves import merge_halves
from tests.compiler.passes.texts import assert_rewrites, operators, run_alone, traced


def test_before_and_after() -> None:
    def function(x: torch.Tensor) -> torch.Tensor:
        half = (x * x) * 0.5
        return half + half

    graph_module = traced(function, torch.ones(3))
    before = """
        x_1: float32[3]
        mul: float32[3] = aten.mul.Tensor(x_1, x_1)
        mul_1: float32[3] = aten.mul.Tensor(mul, 0.5)
        add: float32[3] = aten.add.Tensor(mul_1, mul_1)
        return add
        """
    after = """
        x_1: float32[3]
        mul: float32[3] = aten.mul.Tensor(x_1, x_1)
        return mul
        """
    assert_rewrites(merge_halves, graph_module, before, after)


def test_two_halves_of_a_value_are_the_value() -> None:
    def function(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        half, third = (x * x) * 0.5, x / 3
        return half + half, third + third

    graph_module = traced(function, torch.ones(2, 3))
    run_alone(merge_halves, graph_module)
    assert operators(graph_module) == ["mul", "div", "add"]
    assert torch.equal(graph_module(torch.full((2, 3), 3.0))[0], torch.full((2, 3), 9.0))
