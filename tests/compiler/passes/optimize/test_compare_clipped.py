"""A comparison with a bound reads what was clipped, where that is computed before it."""

from __future__ import annotations

import torch
from torch import nn

from fgcompile.compiler.passes.optimize.compare_clipped import compare_clipped
from tests.compiler.passes.texts import assert_rewrites, run_alone, traced


def test_before_and_after() -> None:
    graph_module = traced(lambda x: (nn.functional.hardtanh(x, 0.0, 6.0), x > 0.0, x < 6.0, x < 1.0), torch.ones(3))
    before = """
        x_1: float32[3]
        hardtanh: float32[3] = aten.hardtanh.default(x_1, 0.0, 6.0)
        gt: bool[3] = aten.gt.Scalar(x_1, 0.0)
        lt: bool[3] = aten.lt.Scalar(x_1, 6.0)
        lt_1: bool[3] = aten.lt.Scalar(x_1, 1.0)
        return (hardtanh, gt, lt, lt_1)
        """
    after = """
        x_1: float32[3]
        hardtanh: float32[3] = aten.hardtanh.default(x_1, 0.0, 6.0)
        gt: bool[3] = aten.gt.Scalar(hardtanh, 0.0)
        lt: bool[3] = aten.lt.Scalar(hardtanh, 6.0)
        lt_1: bool[3] = aten.lt.Scalar(x_1, 1.0)
        return (hardtanh, gt, lt, lt_1)
        """
    assert_rewrites(compare_clipped, graph_module, before, after)


def test_comparisons_with_a_bound_read_the_clipped_value() -> None:
    def function(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y = nn.functional.hardtanh(x, -0.5, 1.5)
        return y, x > -0.5, x < 1.5, x > 1.5, x < 1.0

    x = torch.tensor([-1.0, -0.5, -0.25, 1.0, 1.5, 2.0])
    graph_module = traced(function, x)
    expected = graph_module(x)
    run_alone(compare_clipped, graph_module)
    assert all(torch.equal(a, b) for a, b in zip(graph_module(x), expected, strict=True))
    (clipped,) = (node for node in graph_module.graph.nodes if "hardtanh" in str(node.target))
    assert [node.args[1] for node in clipped.users if node.op == "call_function"] == [-0.5, 1.5]


def test_a_comparison_before_the_clipping_stays() -> None:
    def function(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (x > 0).float() + nn.functional.hardtanh(x, 0.0, 6.0), x

    x = torch.tensor([-1.0, 0.0, 3.0, 6.0])
    graph_module = traced(function, x)
    expected = graph_module(x)
    run_alone(compare_clipped, graph_module)
    graph_module.graph.lint()
    assert torch.equal(graph_module(x)[0], expected[0])
