"""Of two comparisons that exclude each other, one is made."""

from __future__ import annotations

import torch

from fgcompile.compiler.passes.optimize.negate_comparisons import negate_comparisons
from tests.compiler.passes.texts import assert_rewrites, operators, run_alone, traced


def test_before_and_after() -> None:
    graph_module = traced(lambda x: (x < 6.0, x >= 6.0, x > 0.0, x <= 0.5), torch.ones(3))
    before = """
        x_1: float32[3]
        lt: bool[3] = aten.lt.Scalar(x_1, 6.0)
        ge: bool[3] = aten.ge.Scalar(x_1, 6.0)
        gt: bool[3] = aten.gt.Scalar(x_1, 0.0)
        le: bool[3] = aten.le.Scalar(x_1, 0.5)
        return (lt, ge, gt, le)
        """
    after = """
        x_1: float32[3]
        lt: bool[3] = aten.lt.Scalar(x_1, 6.0)
        ge: bool[3] = aten.logical_not.default(lt)
        gt: bool[3] = aten.gt.Scalar(x_1, 0.0)
        le: bool[3] = aten.le.Scalar(x_1, 0.5)
        return (lt, ge, gt, le)
        """
    assert_rewrites(negate_comparisons, graph_module, before, after)


def test_comparisons_that_exclude_each_other_are_made_once() -> None:
    def function(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return x >= 1.5, x < 1.5, x > -0.5, x <= -0.5, x <= 0.5, x < 2

    x = torch.tensor([-1.0, -0.5, -0.25, 0.5, 1.0, 1.5, 2.0, float("inf"), -float("inf")])
    graph_module = traced(function, x)
    expected = graph_module(x)
    run_alone(negate_comparisons, graph_module)
    graph_module.graph.lint()
    assert all(torch.equal(a, b) for a, b in zip(graph_module(x), expected, strict=True))
    assert operators(graph_module) == ["ge", "logical_not", "gt", "logical_not", "le", "lt"]
