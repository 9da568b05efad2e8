"""Equal calls become one, and calls that only look equal do not."""

from __future__ import annotations

import torch

from fgcompile.compiler.passes.optimize.share_subexpressions import share_subexpressions
from tests.compiler.passes.texts import assert_rewrites, operators, run_alone, traced


def test_before_and_after() -> None:
    graph_module = traced(lambda x: (x * 2 + 1) + (x * 2 + 1) + x * 2.0, torch.ones(3))
    before = """
        x_1: float32[3]
        mul: float32[3] = aten.mul.Tensor(x_1, 2)
        add: float32[3] = aten.add.Tensor(mul, 1)
        mul_1: float32[3] = aten.mul.Tensor(x_1, 2)
        add_1: float32[3] = aten.add.Tensor(mul_1, 1)
        add_2: float32[3] = aten.add.Tensor(add, add_1)
        mul_2: float32[3] = aten.mul.Tensor(x_1, 2.0)
        add_3: float32[3] = aten.add.Tensor(add_2, mul_2)
        return add_3
        """
    after = """
        x_1: float32[3]
        mul: float32[3] = aten.mul.Tensor(x_1, 2)
        add: float32[3] = aten.add.Tensor(mul, 1)
        add_2: float32[3] = aten.add.Tensor(add, add)
        mul_2: float32[3] = aten.mul.Tensor(x_1, 2.0)
        add_3: float32[3] = aten.add.Tensor(add_2, mul_2)
        return add_3
        """
    assert_rewrites(share_subexpressions, graph_module, before, after)


def test_equal_subexpressions_are_computed_once() -> None:
    graph_module = traced(lambda x: (x * 2 + 1) + (x * 2 + 1) + x * 2.0, torch.ones(2))
    run_alone(share_subexpressions, graph_module)
    assert operators(graph_module) == ["mul", "add", "add", "mul", "add"]  # 2 and 2.0 are not the same argument
