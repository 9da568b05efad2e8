"""In-place operators become functional ones, all of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from fgcompile.compiler.passes.optimize.replace_mutations import replace_mutations
from fgcompile.compiler.passes.optimize.share_subexpressions import share_subexpressions
from tests.compiler.passes.texts import assert_rewrites, operators, run_alone, traced


def test_before_and_after() -> None:
    graph_module = traced(lambda x: (x * 2).masked_fill_(x > 0, 5.0), torch.ones(3))
    before = """
        x_1: float32[3]
        mul: float32[3] = aten.mul.Tensor(x_1, 2)
        gt: bool[3] = aten.gt.Scalar(x_1, 0)
        masked_fill_: float32[3] = aten.masked_fill_.Scalar(mul, gt, 5.0)
        return masked_fill_
        """
    after = """
        x_1: float32[3]
        mul: float32[3] = aten.mul.Tensor(x_1, 2)
        gt: bool[3] = aten.gt.Scalar(x_1, 0)
        masked_fill_: float32[3] = aten.masked_fill.Scalar(mul, gt, 5.0)
        return masked_fill_
        """
    assert_rewrites(replace_mutations, graph_module, before, after)


def test_a_value_that_is_changed_in_place_is_not_shared() -> None:
    def function(x: torch.Tensor) -> torch.Tensor:
        return (x * 2).masked_fill_(x > 0, 5.0) + (x * 2).masked_fill_(x < 0, 7.0)

    x = torch.tensor([-1.0, 1.0])
    graph_module = traced(function, x)
    run_alone(replace_mutations, graph_module)
    run_alone(share_subexpressions, graph_module)
    assert operators(graph_module).count("mul") == 1
    assert torch.equal(graph_module(x), function(x))


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.pow_(3),
        lambda x: x.clamp_(-1, 1),
        lambda x: x.div_(3),
        lambda x: x.neg_(),
        lambda x: x.masked_fill_(x > 0, 2.0),
        lambda x: x.logical_not_(),
    ],
)
def test_no_operator_in_place_is_left(change: Callable[[torch.Tensor], torch.Tensor]) -> None:
    x = torch.randn(2, 3)
    graph_module = traced(lambda x: change(x * 2) + 1, x)
    expected = graph_module(x)
    run_alone(replace_mutations, graph_module)
    assert not [name for name in operators(graph_module) if name.endswith("_")]
    assert torch.equal(graph_module(x), expected)
