"""What depends on no input is computed once, and stored without copies."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.fx.experimental.proxy_tensor import make_fx

from fgcompile.compiler.ir.runner import run_passes
from fgcompile.compiler.passes.optimize.broadcast_products import broadcast_products
from fgcompile.compiler.passes.optimize.drop_unused_constants import drop_unused_constants
from fgcompile.compiler.passes.optimize.fold_constants import fold_constants
from fgcompile.compiler.passes.optimize.replace_mutations import replace_mutations
from tests.compiler.passes.texts import assert_rewrites, operators, run_alone, traced


class Constants(nn.Module):
    """A product with a constant that is computed, and a sum with one that is copied to every row."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(2))
        self.register_buffer("shift", torch.ones(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * (self.scale * 3) + self.shift.expand(4, 2)


def test_before_and_after() -> None:
    graph_module = traced(Constants(), torch.ones(4, 2))
    before = """
        arg0_1: float32[4, 2]
        _tensor_constant0: float32[2] = constant _tensor_constant0
        mul: float32[2] = aten.mul.Tensor(_tensor_constant0, 3)
        mul_1: float32[4, 2] = aten.mul.Tensor(arg0_1, mul)
        _tensor_constant1: float32[1] = constant _tensor_constant1
        expand: float32[4, 2] = aten.expand.default(_tensor_constant1, [4, 2])
        add: float32[4, 2] = aten.add.Tensor(mul_1, expand)
        return add
        """
    after = """
        arg0_1: float32[4, 2]
        folded_mul: float32[2] = constant folded_mul
        mul_1: float32[4, 2] = aten.mul.Tensor(arg0_1, folded_mul)
        folded_expand: float32[] = constant folded_expand
        expand_default: float32[4, 2] = aten.expand.default(folded_expand, [4, 2])
        add: float32[4, 2] = aten.add.Tensor(mul_1, expand_default)
        return add
        """
    assert_rewrites(fold_constants, graph_module, before, after)


def test_constants_are_folded_into_attributes() -> None:
    graph_module = traced(lambda x: x @ (torch.arange(3.0).reshape(3, 1) * 2), torch.ones(2, 3))
    run_passes(graph_module, [replace_mutations, fold_constants, drop_unused_constants])
    assert operators(graph_module) == ["mm"]
    assert len(list(graph_module.buffers())) == 1
    assert torch.equal(graph_module(torch.ones(2, 3)), torch.full((2, 1), 6.0))


def test_an_expanded_constant_is_stored_once() -> None:
    def function(x: torch.Tensor) -> torch.Tensor:
        return torch.bmm(x, torch.arange(6.0).reshape(3, 2).expand(4, 3, 2)) + torch.ones(1).expand(4, 5, 2)

    x = torch.randn(4, 5, 3)
    graph_module = traced(function, x)
    expected = graph_module(x)
    run_passes(graph_module, [replace_mutations, fold_constants, drop_unused_constants])
    assert sorted(tuple(value.shape) for value in graph_module.buffers()) == [(), (3, 2)]
    assert torch.equal(graph_module(x), expected)
    run_alone(broadcast_products, graph_module)
    assert operators(graph_module) == ["matmul", "expand", "add"]
    assert torch.equal(graph_module(x), expected)


def test_random_numbers_are_not_constants() -> None:
    graph_module = traced(lambda x: x + torch.rand(3), torch.ones(2, 3))
    run_alone(fold_constants, graph_module)
    assert "rand" in operators(graph_module)


@pytest.mark.parametrize("shape", [(3, 4), (3, 3), (1, 3), (3, 1), (1, 1)])
def test_a_matrix_and_its_transpose_are_stored_once(shape: tuple[int, int]) -> None:
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(shape))

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
            batched = self.weight.t().expand(2, *shape[::-1])
            scaled = self.weight * 2
            return x.sum() * self.weight.t(), x * batched, x[0].t() * self.weight, x * scaled.t(), x[0].t() * scaled

    x = torch.randn(2, *shape[::-1])
    module = Both()
    graph_module = make_fx(module, tracing_mode="fake", _allow_non_fake_inputs=True)(x)
    expected = module(x)
    run_alone(fold_constants, graph_module)
    graph_module.graph.lint()
    assert all(torch.equal(a, b) for a, b in zip(graph_module(x), expected, strict=True))
    if 1 not in shape:  # those of a matrix with one row or column lie alike in memory
        assert len({node.target for node in graph_module.graph.find_nodes(op="get_attr")}) == 2


def test_a_batch_of_one_matrix_is_stored_as_the_matrix_is() -> None:
    weight = torch.randn(3, 4)

    def function(x: torch.Tensor) -> torch.Tensor:
        return torch.bmm(x[None], weight.t().expand(1, 4, 3)) + x @ weight.t() + (x @ weight.t()) @ weight[:, :3]

    x = torch.randn(2, 4)
    graph_module = traced(function, x)
    expected = graph_module(x)
    run_passes(graph_module, [replace_mutations, fold_constants, drop_unused_constants])
    assert sorted(tuple(value.shape) for value in graph_module.buffers()) == [(3, 3), (4, 3)]
    assert torch.equal(graph_module(x), expected)
