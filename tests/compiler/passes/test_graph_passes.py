"""The small passes: each rewrites what its docstring says and nothing else, and values stay."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import fx, nn
from torch.fx.experimental.proxy_tensor import make_fx

from fgcompile.compiler import pipeline
from fgcompile.compiler.passes.optimize.broadcast_products import broadcast_products
from fgcompile.compiler.passes.optimize.compare_clipped import compare_clipped
from fgcompile.compiler.passes.optimize.fold_constants import fold_constants
from fgcompile.compiler.passes.optimize.merge_halves import merge_halves
from fgcompile.compiler.passes.optimize.negate_comparisons import negate_comparisons
from fgcompile.compiler.passes.optimize.remove_identities import remove_identities
from fgcompile.compiler.passes.optimize.replace_mutations import replace_mutations
from fgcompile.compiler.passes.optimize.share_subexpressions import share_subexpressions
from fgcompile.compiler.passes.precision.convert_floats import convert_floats


def traced(function: object, *inputs: torch.Tensor) -> fx.GraphModule:
    return make_fx(function, tracing_mode="fake")(*inputs)


def operators(graph_module: fx.GraphModule) -> list[str]:
    return [str(n.target).split(".")[1] for n in graph_module.graph.nodes if n.op == "call_function"]


def test_identities_are_removed() -> None:
    graph_module = traced(lambda x: x.detach().view(2, 3).mul(1).add(0).expand(2, 3).clone() * 2, torch.ones(2, 3))
    remove_identities(graph_module)
    assert operators(graph_module) == ["mul"]
    assert torch.equal(graph_module(torch.ones(2, 3)), torch.full((2, 3), 2.0))


def test_products_with_ones_and_sums_with_zeros_are_removed() -> None:
    def function(x: torch.Tensor) -> torch.Tensor:
        return torch.zeros(()) + torch.ones_like(x) * x.sin() + torch.zeros_like(x).expand(2, 3)

    graph_module = traced(function, torch.ones(2, 3))
    expected = graph_module(torch.full((2, 3), 0.5))
    remove_identities(graph_module)
    graph_module.graph.eliminate_dead_code()
    assert operators(graph_module) == ["sin"]
    assert torch.equal(graph_module(torch.full((2, 3), 0.5)), expected)


def test_a_product_with_ones_that_broadcasts_stays() -> None:
    graph_module = traced(lambda x: torch.ones(4, 3) * x.sin(), torch.ones(1, 3))
    remove_identities(graph_module)
    assert operators(graph_module)[-1] == "mul"


def test_a_reshape_that_changes_the_shape_stays() -> None:
    graph_module = traced(lambda x: x.view(3, 2).expand(3, 2) + 0.5, torch.ones(2, 3))
    remove_identities(graph_module)
    assert operators(graph_module) == ["reshape", "add"]


def test_constants_are_folded_into_attributes() -> None:
    graph_module = traced(lambda x: x @ (torch.arange(3.0).reshape(3, 1) * 2), torch.ones(2, 3))
    fold_constants(graph_module)
    assert operators(graph_module) == ["mm"]
    assert len(list(graph_module.buffers())) == 1
    assert torch.equal(graph_module(torch.ones(2, 3)), torch.full((2, 1), 6.0))


def test_an_expanded_constant_is_stored_once() -> None:
    def function(x: torch.Tensor) -> torch.Tensor:
        return torch.bmm(x, torch.arange(6.0).reshape(3, 2).expand(4, 3, 2)) + torch.ones(1).expand(4, 5, 2)

    x = torch.randn(4, 5, 3)
    graph_module = traced(function, x)
    expected = graph_module(x)
    fold_constants(graph_module)
    assert sorted(tuple(value.shape) for value in graph_module.buffers()) == [(), (3, 2)]
    assert torch.equal(graph_module(x), expected)
    broadcast_products(graph_module)
    assert operators(graph_module) == ["matmul", "expand", "add"]
    assert torch.equal(graph_module(x), expected)


def test_random_numbers_are_not_constants() -> None:
    graph_module = traced(lambda x: x + torch.rand(3), torch.ones(2, 3))
    fold_constants(graph_module)
    assert "rand" in operators(graph_module)


def test_a_value_that_is_changed_in_place_is_not_shared() -> None:
    def function(x: torch.Tensor) -> torch.Tensor:
        return (x * 2).masked_fill_(x > 0, 5.0) + (x * 2).masked_fill_(x < 0, 7.0)

    x = torch.tensor([-1.0, 1.0])
    graph_module = traced(function, x)
    replace_mutations(graph_module)
    share_subexpressions(graph_module)
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
    replace_mutations(graph_module)
    assert not [name for name in operators(graph_module) if name.endswith("_")]
    assert torch.equal(graph_module(x), expected)


def test_equal_subexpressions_are_computed_once() -> None:
    graph_module = traced(lambda x: (x * 2 + 1) + (x * 2 + 1) + x * 2.0, torch.ones(2))
    share_subexpressions(graph_module)
    assert operators(graph_module) == ["mul", "add", "add", "mul", "add"]  # 2 and 2.0 are not the same argument


def test_two_halves_of_a_value_are_the_value() -> None:
    def function(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        half, third = (x * x) * 0.5, x / 3
        return half + half, third + third

    graph_module = traced(function, torch.ones(2, 3))
    merge_halves(graph_module)
    assert operators(graph_module) == ["mul", "div", "add"]
    assert torch.equal(graph_module(torch.full((2, 3), 3.0))[0], torch.full((2, 3), 9.0))


def test_a_batched_product_with_a_constant_is_broadcast() -> None:
    def function(x: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
        return torch.bmm(a.expand(4, 2, 3), x)

    x, a = torch.randn(4, 3, 5), torch.randn(1, 2, 3)
    graph_module = traced(function, x, a)
    broadcast_products(graph_module)
    assert operators(graph_module) == ["matmul"]
    torch.testing.assert_close(graph_module(x, a), function(x, a))


def test_floats_are_converted_in_constants_and_casts() -> None:
    graph_module = traced(
        lambda x: (x > 0).to(torch.float64) * torch.arange(3.0, dtype=torch.float64), torch.ones(2, 3)
    )
    fold_constants(graph_module)
    single = convert_floats(graph_module, torch.float32)
    assert single(torch.ones(2, 3)).dtype == torch.float32
    assert graph_module(torch.ones(2, 3)).dtype == torch.float64


def test_what_returns_several_values_is_retargeted_as_a_whole() -> None:
    graph_module = traced(lambda x: torch.topk(x, 2)[0], torch.ones(2, 3, dtype=torch.float64))
    single = convert_floats(graph_module, torch.float32)
    (values, indices) = single.graph.find_nodes(op="call_function", target=torch.ops.aten.topk.default)[0].meta["val"]
    assert (values.dtype, indices.dtype) == (torch.float32, torch.int64)


def test_inputs_of_one_shape_stay_two() -> None:
    class Difference(nn.Module):
        def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return a.flatten(1) - 2 * b.flatten(1)

    a, b = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    program = pipeline.fuse(Difference().eval(), (a, b), outputs=("logits", "contributions"))
    logits, contributions = program.graph_module(a.double(), b.double(), torch.tensor([0, 1]))
    torch.testing.assert_close(logits, (a - 2 * b).flatten(1).double())
    torch.testing.assert_close(contributions[:, 0], logits[[0, 1], [0, 1]])


def test_comparisons_with_a_bound_read_the_clipped_value() -> None:
    def function(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y = torch.nn.functional.hardtanh(x, -0.5, 1.5)
        return y, x > -0.5, x < 1.5, x > 1.5, x < 1.0

    x = torch.tensor([-1.0, -0.5, -0.25, 1.0, 1.5, 2.0])
    graph_module = traced(function, x)
    expected = graph_module(x)
    compare_clipped(graph_module)
    assert all(torch.equal(a, b) for a, b in zip(graph_module(x), expected, strict=True))
    (clipped,) = (node for node in graph_module.graph.nodes if "hardtanh" in str(node.target))
    assert [node.args[1] for node in clipped.users if node.op == "call_function"] == [-0.5, 1.5]


def test_a_comparison_before_the_clipping_stays() -> None:
    def function(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (x > 0).float() + torch.nn.functional.hardtanh(x, 0.0, 6.0), x

    x = torch.tensor([-1.0, 0.0, 3.0, 6.0])
    graph_module = traced(function, x)
    expected = graph_module(x)
    compare_clipped(graph_module)
    graph_module.graph.lint()
    assert torch.equal(graph_module(x)[0], expected[0])


def test_comparisons_that_exclude_each_other_are_made_once() -> None:
    def function(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return x >= 1.5, x < 1.5, x > -0.5, x <= -0.5, x <= 0.5, x < 2

    x = torch.tensor([-1.0, -0.5, -0.25, 0.5, 1.0, 1.5, 2.0, float("inf"), -float("inf")])
    graph_module = traced(function, x)
    expected = graph_module(x)
    negate_comparisons(graph_module)
    graph_module.graph.lint()
    assert all(torch.equal(a, b) for a, b in zip(graph_module(x), expected, strict=True))
    assert operators(graph_module) == ["ge", "logical_not", "gt", "logical_not", "le", "lt"]


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
    fold_constants(graph_module)
    graph_module.graph.lint()
    assert all(torch.equal(a, b) for a, b in zip(graph_module(x), expected, strict=True))
    if 1 not in shape:  # those of a matrix with one row or column lie alike in memory
        assert len({node.target for node in graph_module.graph.find_nodes(op="get_attr")}) == 2
