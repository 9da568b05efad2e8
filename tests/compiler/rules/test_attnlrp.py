"""The rule set attnlrp beside relevance that is propagated layer by layer, by the equations of the paper."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import fgcompile
from fgcompile.compiler.pipeline import fuse
from tests.compiler.biases.test_table import weighted_sum
from tests.compiler.rules.networks import PAIRS, Pair, build
from tests.support.sweeps import few, quick

# Relevance R of each layer's output becomes that of its inputs (Achtibat et al. 2024, with ε = 0).


def through_linear(layer: nn.Linear, x: Tensor, relevance: Tensor) -> Tensor:
    return x * ((relevance / layer(x)) @ layer.weight)


def through_product(a: Tensor, b: Tensor, relevance: Tensor) -> tuple[Tensor, Tensor]:
    """Of a matrix product, in equal shares."""
    ratio = relevance / (a @ b) / 2
    return a * (ratio @ b.transpose(-1, -2)), b * (a.transpose(-1, -2) @ ratio)


def through_softmax(x: Tensor, relevance: Tensor) -> Tensor:
    return x * (relevance - x.softmax(-1) * relevance.sum(-1, keepdim=True))


def through_norm(norm: nn.Module, x: Tensor, relevance: Tensor, centred: bool) -> Tensor:
    scale = norm(x) if not centred else (norm(x) - norm.bias)
    linear = x - x.mean(-1, keepdim=True) if centred else x
    passed = relevance / norm(x) * (scale / linear)
    return x * (passed - passed.mean(-1, keepdim=True) if centred else passed)


def through_sum(a: Tensor, b: Tensor, relevance: Tensor) -> tuple[Tensor, Tensor]:
    return a / (a + b) * relevance, b / (a + b) * relevance


class Block(nn.Module):
    """Attention of two heads behind a LayerNorm, a SwiGLU behind a RMSNorm, and a pooler with tanh."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(8), nn.RMSNorm(8, eps=1e-6)
        self.q, self.k, self.v, self.project = (nn.Linear(8, 8) for _ in range(4))
        self.gate, self.up, self.down = nn.Linear(8, 12), nn.Linear(8, 12), nn.Linear(12, 8)
        self.pooler, self.head = nn.Linear(8, 8), nn.Linear(8, 4)

    def attention(self, y: Tensor) -> tuple[Tensor, ...]:
        q, k, v = (layer(y).unflatten(-1, (2, 4)).transpose(1, 2) for layer in (self.q, self.k, self.v))
        scores = q @ k.transpose(-1, -2) / math.sqrt(4)
        return q, k, v, scores, (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.project(self.attention(self.norm1(x))[-1])
        y = self.norm2(x)
        x = x + self.down(F.silu(self.gate(y)) * self.up(y))
        return self.head(torch.tanh(self.pooler(x[:, 0])))

    def relevance(self, x: Tensor, chosen: int) -> Tensor:
        """That of the input, of one logit."""
        first = self.norm1(x)
        q, k, v, scores, mixed = self.attention(first)
        middle = x + self.project(mixed)
        second = self.norm2(middle)
        gated, lifted = F.silu(self.gate(second)), self.up(second)
        last = middle + self.down(gated * lifted)
        pooled = self.pooler(last[:, 0])

        ratio = torch.zeros_like(self.head(pooled))
        ratio[:, chosen] = self.head(pooled.tanh())[:, chosen]
        token = through_linear(self.pooler, last[:, 0], through_linear(self.head, pooled.tanh(), ratio))
        relevance = torch.cat([token[:, None], torch.zeros_like(last[:, 1:])], 1)
        straight, fed = through_sum(middle, last - middle, relevance)
        product = through_linear(self.down, gated * lifted, fed) / 2
        to_second = through_linear(self.gate, second, product) + through_linear(self.up, second, product)
        straight = straight + through_norm(self.norm2, middle, to_second, centred=False)
        to_x, attended = through_sum(x, middle - x, straight)
        heads = through_linear(self.project, mixed, attended).unflatten(-1, (2, 4)).transpose(1, 2)
        of_weights, of_v = through_product(scores.softmax(-1), v, heads)
        of_q, of_k = through_product(q, k.transpose(-1, -2), through_softmax(scores, of_weights))
        parts = ((self.q, of_q), (self.k, of_k.transpose(-1, -2)), (self.v, of_v))
        to_first = sum(through_linear(layer, first, part.transpose(1, 2).flatten(2)) for layer, part in parts)
        return to_x + through_norm(self.norm1, x, to_first, centred=True)


def make_block() -> tuple[Block, Tensor]:
    torch.manual_seed(3)
    block = Block().double().eval()
    for parameter in block.parameters():
        nn.init.normal_(parameter, 0.1, 0.7)
    return block, torch.randn(2, 5, 8, dtype=torch.float64)


@pytest.mark.parametrize("chosen", few([0, 3], 1))
def test_input_times_gradient_is_the_relevance(chosen: int) -> None:
    block, x = make_block()
    terms = fgcompile.full_gradient(block, x, target=chosen, rules="attnlrp")
    torch.testing.assert_close(x * terms.input_gradient, block.relevance(x, chosen).detach(), rtol=1e-7, atol=1e-9)
    assert terms.relative_completeness_error.max() < 1e-12


@pytest.mark.parametrize("make", few(PAIRS, 1), ids=[pair.__name__ for pair in PAIRS])
def test_the_fused_graph_equals_the_eager_evaluation(make: type[Pair]) -> None:
    model, x = build(make)
    program = fuse(model, x[:1], target=1, rules="attnlrp", outputs=("logits", "contributions", "input_gradient"))
    logits, contributions, gradient = program.graph_module(x)
    terms = fgcompile.full_gradient(model, x, target=1, rules="attnlrp")
    torch.testing.assert_close(terms.output, model(x), rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(logits, terms.output, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(gradient, terms.input_gradient, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(contributions.sum(1), terms.score, rtol=1e-9, atol=1e-10)


class Function(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function, self.first, self.other = function, nn.Linear(6, 6), nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.first(x)) + self.other(x).sigmoid() * x


def by_hand(x: Tensor) -> Tensor:
    return x.exp() / x.exp().sum(-1, keepdim=True)


def stable(x: Tensor) -> Tensor:
    powers = (x - x.amax(-1, keepdim=True)).exp()
    return powers / powers.sum(-1, keepdim=True).expand_as(powers)


SAME: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "gelu": (F.gelu, lambda x: 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))),
    "gelu, scaled behind": (F.gelu, lambda x: x * (1 + torch.erf(x / math.sqrt(2))) / 2),
    "silu": (F.silu, lambda x: torch.sigmoid(x) * x),
    "silu of a copy": (F.silu, lambda x: x.clone() * torch.sigmoid(x.float().to(x.dtype) * 0 + x)),
    "hardswish": (F.hardswish, lambda x: x * F.relu6(x + 3) / 6),
    "mish": (F.mish, lambda x: x * torch.tanh(F.softplus(x))),
    "softmax": (lambda x: x.softmax(-1), by_hand),
    "softmax, shifted": (lambda x: x.softmax(-1), stable),
    "power": (lambda x: x**3, lambda x: x * x**2),
}
"""Functions as PyTorch has them, and the same by hand."""


@pytest.mark.parametrize("name", quick(SAME, "gelu, scaled behind", "silu of a copy", "hardswish", "softmax, shifted"))
def test_what_is_written_by_hand_has_the_same_gradient(name: str) -> None:
    one, other = (Function(function).double().eval() for function in SAME[name])
    other.load_state_dict(one.state_dict())
    x = torch.randn(3, 6, dtype=torch.float64)
    expected, actual = (fgcompile.full_gradient(each, x, target=1, rules="attnlrp") for each in (one, other))
    torch.testing.assert_close(actual.output, expected.output, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(actual.input_gradient, expected.input_gradient, rtol=1e-6, atol=1e-9)


def test_a_gate_of_something_else_takes_its_share() -> None:
    """``σ(W x) · x``: half of the gradient passes the sigmoid's own derivative."""
    model = Function(torch.zeros_like).double().eval()
    x = torch.randn(3, 6, dtype=torch.float64, requires_grad=True)
    gate = model.other(x).sigmoid()
    (expected,) = torch.autograd.grad((gate.detach() * x + gate * x.detach())[:, 1].sum() / 2, x)
    terms = fgcompile.full_gradient(model, x.detach(), target=1, rules="attnlrp")
    torch.testing.assert_close(terms.input_gradient, expected)


def test_tanh_at_zero() -> None:
    x = torch.tensor([[0.0, 1e-300, -2.0]], dtype=torch.float64)
    terms = fgcompile.full_gradient(nn.Sequential(nn.Tanh()).eval(), x, target=weighted_sum, rules="attnlrp")
    weights = torch.autograd.grad(weighted_sum(y := torch.zeros_like(x).requires_grad_()).sum(), y)[0]
    expected = weights * torch.tensor([[1.0, 1.0, math.tanh(2.0) / 2.0]], dtype=torch.float64)
    torch.testing.assert_close(terms.input_gradient, expected)


@pytest.mark.parametrize("suffix", quick([".onnx", ".pt"], ".onnx"))
def test_artifacts_equal_the_eager_model(suffix: str, tmp_path: Path) -> None:
    block, x = make_block()
    model, path = block.float(), tmp_path / f"block{suffix}"
    outputs = ("logits", "saliency", "contributions", "residual", "input_gradient")
    fgcompile.compile(
        model, x[:1].float(), format="onnx" if suffix == ".onnx" else "torchscript", rules="attnlrp", outputs=outputs
    ).save(path)
    session = fgcompile.load(path)
    assert (session.metadata["rules"], session.metadata["psi"]) == ("attnlrp", "signed")
    explanation = session.explain(x.float().numpy(), np.array([0, 3]))
    assert fgcompile.verify(path, model, x.float()).passed
    expected = torch.stack([block.double().relevance(x, chosen)[n] for n, chosen in enumerate([0, 3])])
    np.testing.assert_allclose(x * explanation.input_gradient, expected.detach(), rtol=1e-3, atol=1e-3)
