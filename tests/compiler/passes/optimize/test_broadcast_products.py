"""A product with an expanded matrix broadcasts it."""

from __future__ import annotations

import pytest
import torch

from fgcompile.compiler.passes.optimize.broadcast_products import broadcast_products
from tests.compiler.passes.texts import assert_rewrites, operators, run_alone, traced


def test_before_and_after() -> None:
    graph_module = traced(lambda x, a: torch.bmm(a.expand(4, 2, 3), x), torch.ones(4, 3, 5), torch.ones(1, 2, 3))
    before = """
        x_1: float32[4, 3, 5]
        a_1: float32[1, 2, 3]
        expand: float32[4, 2, 3] = aten.expand.default(a_1, [4, 2, 3])
        bmm: float32[4, 2, 5] = aten.bmm.default(expand, x_1)
        return bmm
        """
    after = """
        x_1: float32[4, 3, 5]
        a_1: float32[1, 2, 3]
        bmm: float32[4, 2, 5] = aten.matmul.default(a_1, x_1)
        return bmm
        """
    assert_rewrites(broadcast_products, graph_module, before, after)


def test_a_batched_product_with_a_constant_is_broadcast() -> None:
    def function(x: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
        return torch.bmm(a.expand(4, 2, 3), x)

    x, a = torch.randn(4, 3, 5), torch.randn(1, 2, 3)
    graph_module = traced(function, x, a)
    run_alone(broadcast_products, graph_module)
    assert operators(graph_module) == ["matmul"]
    torch.testing.assert_close(graph_module(x, a), function(x, a))


@pytest.mark.parametrize("batch", [1, 4])
def test_where_both_are_expanded_one_keeps_the_batch(batch: int) -> None:
    def function(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return torch.bmm(a.expand(batch, 2, 3), b.expand(batch, 3, 5))

    a, b = torch.randn(2, 3), torch.randn(1, 3, 5)
    graph_module = traced(function, a, b)
    run_alone(broadcast_products, graph_module)
    assert operators(graph_module) == ["expand", "matmul"]
    torch.testing.assert_close(graph_module(a, b), function(a, b))
