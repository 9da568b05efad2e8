"""What returns its operand is removed, and what only looks like it stays."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from fgcompile.compiler.passes.optimize.remove_identities import remove_identities
from fgcompile.compiler.pipeline import fuse
from tests.compiler.passes.texts import assert_rewrites, operators, run_alone, traced


def test_before_and_after() -> None:
    graph_module = traced(lambda x: (x.sin() + 0).view(2, 3).clone().view(3, 2), torch.ones(2, 3))
    before = """
        x_1: float32[2, 3]
        sin: float32[2, 3] = aten.sin.default(x_1)
        add: float32[2, 3] = aten.add.Tensor(sin, 0)
        view: float32[2, 3] = aten.view.default(add, [2, 3])
        clone: float32[2, 3] = aten.clone.default(view)
        view_1: float32[3, 2] = aten.view.default(clone, [3, 2])
        return view_1
        """
    after = """
        x_1: float32[2, 3]
        sin: float32[2, 3] = aten.sin.default(x_1)
        view_1: float32[3, 2] = aten.reshape.default(sin, [3, 2])
        return view_1
        """
    assert_rewrites(remove_identities, graph_module, before, after)


def test_identities_are_removed() -> None:
    graph_module = traced(lambda x: x.detach().view(2, 3).mul(1).add(0).expand(2, 3).clone() * 2, torch.ones(2, 3))
    run_alone(remove_identities, graph_module)
    assert operators(graph_module) == ["mul"]
    assert torch.equal(graph_module(torch.ones(2, 3)), torch.full((2, 3), 2.0))


def test_products_with_ones_and_sums_with_zeros_are_removed() -> None:
    def function(x: torch.Tensor) -> torch.Tensor:
        return torch.zeros(()) + torch.ones_like(x) * x.sin() + torch.zeros_like(x).expand(2, 3)

    graph_module = traced(function, torch.ones(2, 3))
    expected = graph_module(torch.full((2, 3), 0.5))
    run_alone(remove_identities, graph_module)
    graph_module.graph.eliminate_dead_code()
    assert operators(graph_module) == ["sin"]
    assert torch.equal(graph_module(torch.full((2, 3), 0.5)), expected)


def test_a_product_with_ones_that_broadcasts_stays() -> None:
    graph_module = traced(lambda x: torch.ones(4, 3) * x.sin(), torch.ones(1, 3))
    run_alone(remove_identities, graph_module)
    assert operators(graph_module)[-1] == "mul"


def test_a_reshape_that_changes_the_shape_stays() -> None:
    graph_module = traced(lambda x: x.view(3, 2).expand(3, 2) + 0.5, torch.ones(2, 3))
    run_alone(remove_identities, graph_module)
    assert operators(graph_module) == ["reshape", "add"]


class _Turned(nn.Module):
    """Normalises groups of what follows a copy: the copy is an identity but for the strides that it gave."""

    def __init__(self, spread: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.spread, self.before, self.norm, self.after = spread, nn.Linear(6, 12), nn.GroupNorm(2, 4), nn.Linear(12, 3)
        self.places = nn.Parameter(torch.randn(1, 4, 3))

    def forward(self, x: Tensor) -> Tensor:
        y = self.before(x).unflatten(-1, (3, 4)).transpose(1, 2).contiguous().relu()
        if self.spread:
            y = y.mean((1, 2), keepdim=True).expand(-1, 4, 3) * 1.0 + self.places
        return self.after(self.norm(y).tanh().flatten(1))


@pytest.mark.parametrize("spread", [False, True])
def test_groups_are_normalised_of_what_lost_its_copy(spread: bool) -> None:
    model, x = _Turned(spread).eval().double(), torch.randn(5, 6, dtype=torch.float64, requires_grad=True)
    program = fuse(model, x[:2].detach(), target=0, rules="taylor", outputs=("logits", "input_gradient"))
    logits, gradient = program.graph_module(x.detach())
    torch.testing.assert_close(logits, model(x), rtol=1e-9, atol=1e-9)
    (expected,) = torch.autograd.grad(model(x)[:, 0].sum(), x)
    torch.testing.assert_close(gradient, expected, rtol=1e-9, atol=1e-9)
