"""The rule set libragrad: gradients equal those of networks detached by hand, values stay, completeness is exact."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import fgcompile
from fgcompile.compiler.capture.capture import capture
from fgcompile.compiler.pipeline import fuse
from fgcompile.compiler.rules import apply_rules
from fgcompile.compiler.rules.libragrad import rewrite_table
from tests.compiler.biases.test_table import weighted_sum
from tests.compiler.rules.networks import PAIRS, GatedBlock, Pair, VisionTransformer, build
from tests.support.sweeps import few

aten = torch.ops.aten
NETWORK_IDS = [pair.__name__ for pair in PAIRS]


class Function(nn.Module):
    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.function(*inputs)


def gradients(function: Callable[..., Tensor], inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The autograd gradients of the weighted sum."""
    leaves = tuple(x.clone().requires_grad_() for x in inputs)
    return torch.autograd.grad(weighted_sum(function(*leaves)).sum(), leaves, materialize_grads=True)


@pytest.mark.parametrize("make", few(PAIRS, 4), ids=NETWORK_IDS)
def test_gradients_equal_those_of_the_network_detached_by_hand(make: type[Pair]) -> None:
    model, x = build(make)
    twin = model.twin()
    torch.testing.assert_close(twin(x), model(x), rtol=1e-12, atol=1e-12)
    terms = fgcompile.full_gradient(model, x, target=weighted_sum, rules="libragrad")
    torch.testing.assert_close(terms.output, model(x), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close((terms.input_gradient,), gradients(twin, (x,)), rtol=1e-9, atol=1e-12)
    assert terms.relative_completeness_error.max() < 1e-12


@pytest.mark.parametrize("make", few(PAIRS, 2), ids=NETWORK_IDS)
def test_the_fused_graph_equals_the_eager_evaluation(make: type[Pair]) -> None:
    model, x = build(make)
    outputs = ("logits", "contributions", "input_gradient")
    program = fuse(model, x[:1], target=1, rules="libragrad", outputs=outputs)
    logits, contributions, gradient = program.graph_module(x)
    terms = fgcompile.full_gradient(model, x, target=1, rules="libragrad")
    torch.testing.assert_close(logits, terms.output, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(gradient, terms.input_gradient, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(contributions.sum(1), terms.score, rtol=1e-9, atol=1e-10)


MATRICES = torch.randn(2, 1, 4, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
SIGNALS = torch.randn(2, 1, 4, 6, generator=torch.Generator().manual_seed(4), dtype=torch.float64)


def half(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """The even split of a function of two factors."""
    return lambda a, b: (function(a, b.detach()) + function(a.detach(), b)) / 2


def _rows(a: Tensor) -> Tensor:
    return a.flatten(0, 1)


FACTORS: dict[str, tuple[Callable[..., Tensor], Callable[..., Tensor], Tensor]] = {
    "mul": (lambda a, b: a * b, half(lambda a, b: a * b), SIGNALS),
    "bmm": (lambda a, b: a @ b, half(lambda a, b: a @ b), MATRICES),
    "mm": (lambda a, b: _rows(a).mm(b[0]).unflatten(0, (-1, 4)), half(lambda a, b: a @ b[0]), MATRICES),
    "addmm": (
        lambda a, b: torch.addmm(_rows(a), _rows(a), b[0], beta=0.5, alpha=3).unflatten(0, (-1, 4)),
        lambda a, b: 0.5 * a + 3 * half(lambda a, b: a @ b[0])(a, b),
        MATRICES,
    ),
    "linear": (
        lambda a, b: F.linear(a, b[0], b[0, 0]),
        lambda a, b: half(lambda a, b: F.linear(a, b[0]))(a, b) + b[0, 0],
        MATRICES,
    ),
    "convolution": (
        lambda a, b: F.conv1d(a, b[0, :, :3].reshape(4, 1, 3), b[0, :, 0], groups=4),
        lambda a, b: (
            half(lambda a, b: F.conv1d(a, b[0, :, :3].reshape(4, 1, 3), groups=4))(a, b) + b[:, :, 0].unsqueeze(2)
        ),
        SIGNALS,
    ),
    "normalised with active parameters": (
        lambda a, b: F.layer_norm(a, (6,), b[0, 0], b[0, 1]),
        lambda a, b: (
            half(lambda a, b: (a - a.mean(-1, keepdim=True)) * b[:, :1])(
                a / (a.var(-1, correction=0, keepdim=True) + 1e-5).sqrt().detach(), b
            )
            + b[:, 1:2]
        ),
        SIGNALS,
    ),
    "quotient": (lambda a, b: a / b.exp(), lambda a, b: a / b.exp().detach(), SIGNALS),
    "two gates": (
        lambda a, b: a.sigmoid() * b.softmax(-1),
        lambda a, b: half(lambda a, b: a * b)(a.sigmoid(), b.softmax(-1)),
        SIGNALS,
    ),
    "moved, masked and scaled weights": (
        lambda a, b: torch.where(a > 0, 0.1, 2 * b.softmax(-1)).flip(-1)[:, 1:] * a[:, 1:],
        lambda a, b: torch.where(a > 0, 0.1, 2 * b.softmax(-1)).flip(-1)[:, 1:].detach() * a[:, 1:],
        SIGNALS,
    ),
    "inverse roots": (
        lambda a, b: a * (b.abs() + 1).pow(-0.5) * (1 / (b.abs() + 1)),
        lambda a, b: a * ((b.abs() + 1).pow(-0.5) * (1 / (b.abs() + 1))).detach(),
        SIGNALS,
    ),
}
"""Functions of two activations, their locally linear form by hand, and two inputs; one sample each."""


@pytest.mark.parametrize("name", few(FACTORS, 6))
def test_products_of_two_activations(name: str) -> None:
    function, by_hand, values = FACTORS[name]
    inputs = tuple(values)
    terms = fgcompile.full_gradient(Function(function).eval(), inputs, target=weighted_sum, rules="libragrad")
    torch.testing.assert_close(terms.input_gradient, gradients(by_hand, inputs), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(terms.output, function(*inputs), rtol=1e-12, atol=1e-12)
    assert terms.relative_completeness_error.max() < 1e-12


@pytest.mark.parametrize(
    "activation",
    [F.gelu, lambda x: F.gelu(x, approximate="tanh"), F.silu, F.mish, F.hardswish],
    ids=["gelu", "gelu tanh", "silu", "mish", "hardswish"],
)
def test_gated_activations_are_linear_but_for_their_gate(activation: Callable[[Tensor], Tensor]) -> None:
    x = 3 * torch.randn(2, 50, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    terms = fgcompile.full_gradient(Function(activation).eval(), x, target=weighted_sum, rules="libragrad")
    (expected,) = gradients(lambda x: x * (activation(x) / x).detach(), (x,))
    torch.testing.assert_close(terms.input_gradient, expected, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(terms.output, activation(x), rtol=1e-12, atol=1e-12)
    assert not terms.bias_gradients


def test_softmax_at_the_end_keeps_its_gradient() -> None:
    model, x = Function(lambda x: x.softmax(-1)).eval(), torch.randn(2, 5, dtype=torch.float64)
    terms = fgcompile.full_gradient(model, x, target=2, rules="libragrad")
    torch.testing.assert_close(terms.input_gradient, fgcompile.full_gradient(model, x, target=2).input_gradient)
    assert list(terms.bias_gradients) == ["softmax"]


def test_what_no_gradient_reaches_is_not_rewritten() -> None:
    """Queries and keys behind detached attention weights: their product stays one."""
    model, x = build(VisionTransformer)
    captured = capture(model, x)
    rewritten = apply_rules(captured, "libragrad").graph_module.graph
    assert len(rewritten.find_nodes(op="call_function", target=aten.bmm.default)) == 2
    assert not captured.graph_module.graph.find_nodes(op="call_function", target=aten.detach.default)


def test_a_split_product_is_computed_once_in_the_fused_graph() -> None:
    model = Function(lambda x: (x @ x.transpose(1, 2).relu()).flatten(1)).eval()
    program = fuse(model, torch.randn(2, 3, 4), target=0, rules="libragrad", outputs=("logits",))
    products = [node for node in program.graph_module.graph.nodes if node.target in (aten.bmm.default, aten.mul.Tensor)]
    assert [node.target for node in products] == [aten.bmm.default]


@pytest.mark.slow
def test_every_row_is_reached_by_a_test_above() -> None:
    models = [build(make) for make in PAIRS]
    models += [(Function(function).eval(), tuple(values)) for function, _, values in FACTORS.values()]
    captured = [capture(model, inputs) for model, inputs in models]
    reached = {node.target for program in captured for node in program.graph_module.graph.nodes}
    missing = sorted(str(operator) for operator in rewrite_table() if operator not in reached)
    assert not missing, f"no test reaches {', '.join(missing)}"


@pytest.mark.parametrize(("make", "suffix"), few(product([GatedBlock, VisionTransformer], [".onnx", ".pt"]), 1))
def test_artifacts_equal_the_eager_model(make: type[Pair], suffix: str, tmp_path: Path) -> None:
    model, x = build(make, torch.float32)
    outputs = ("logits", "saliency", "contributions", "residual", "input_gradient")
    path = tmp_path / f"model{suffix}"
    format = "onnx" if suffix == ".onnx" else "torchscript"
    fgcompile.compile(model, x[:1], format=format, rules="libragrad", outputs=outputs).save(path)
    session = fgcompile.load(path)
    assert session.metadata["rules"] == "libragrad"
    explanation = session.explain(x.numpy(), np.array([0, 1, 2]))
    assert fgcompile.verify(path, model, x).passed
    terms = fgcompile.full_gradient(model.double(), x.double(), torch.tensor([0, 1, 2]), rules="libragrad")
    np.testing.assert_allclose(explanation.logits, terms.output, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(explanation.input_gradient, terms.input_gradient, rtol=1e-3, atol=1e-5)
