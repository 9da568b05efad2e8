"""Weights that are widened where they are read give what those give that were widened before, to the bit."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import fgcompile
from fgcompile.compiler.backends.onnx import emit
from fgcompile.compiler.ir import widened
from fgcompile.compiler.ir.graphs import fake
from fgcompile.compiler.ir.torch_internals import FakeTensorMode
from fgcompile.compiler.ir.widened import Widened, constant_in_dtype, in_pieces
from tests.support.sweeps import few

HALVES = [torch.float16, torch.bfloat16, torch.float32]

OPERATORS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mm": lambda x, w: x @ w.t(),
    "linear": lambda x, w: F.linear(x, w, w[0].sum()[None]),
    "permuted": lambda x, w: x @ w.permute(1, 0).contiguous(),
    "transposed twice": lambda x, w: x[:, :4] @ w.transpose(0, 1).contiguous().t()[:4],
    "batched": lambda x, w: torch.bmm(x[None], w.t()[None]),
    "embedding": lambda x, w: F.embedding(torch.tensor([2, 0, 2]), w) * x[0],
    "convolution": lambda x, w: F.conv1d(x[:, None], w[:, None, :2]),
    "elements": lambda x, w: (x.sum() * w).exp(),
}


def weight(dtype: torch.dtype) -> Tensor:
    return torch.randn(6, 5, generator=torch.Generator().manual_seed(0)).to(dtype)


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", OPERATORS)
def test_operators_and_their_gradients_are_those_of_the_wide_weight(name: str, dtype: torch.dtype) -> None:
    narrow = weight(dtype)
    results = []
    for w in (narrow.double(), Widened(narrow, torch.float64)):
        x = torch.randn(3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
        y = OPERATORS[name](x, w)
        (gradient,) = torch.autograd.grad(y.square().sum(), x)
        results.append((y.detach(), gradient))
    for expected, found in zip(*results, strict=True):
        assert type(found) is Tensor
        assert torch.equal(expected, found)


def test_a_backward_keeps_the_narrow_weight() -> None:
    kept: list[Tensor] = []
    x = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda value: kept.append(value) or value, lambda value: value):
        y = x @ Widened(weight(torch.bfloat16), torch.float64).t()
    assert [type(value) for value in kept if value.shape == (5, 6)] == [Widened]
    y.sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, weight(torch.bfloat16).double().sum(0).expand(3, 5))


@pytest.mark.parametrize("dtype", HALVES)
def test_it_is_narrowed_to_what_is_stored(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(widened, "SMALLEST", 1)
    narrow = weight(dtype)
    wide = constant_in_dtype(narrow, torch.float64)
    assert wide.dtype == torch.float64
    assert constant_in_dtype(wide, torch.float64) is wide
    assert constant_in_dtype(wide, dtype).data_ptr() == narrow.data_ptr()
    assert torch.equal(constant_in_dtype(wide, torch.float32), narrow.float())
    turned = constant_in_dtype(wide.t().contiguous(), dtype)
    assert turned.is_contiguous()
    assert torch.equal(turned, narrow.t())
    assert torch.equal(torch.cat([*in_pieces(wide.t())]), narrow.double().t().flatten())


def test_small_ones_and_those_as_wide_are_converted_at_once() -> None:
    small, wide = torch.ones(3), torch.ones(2**17, dtype=torch.float64)
    assert type(constant_in_dtype(small, torch.float64)) is Tensor
    assert constant_in_dtype(wide, torch.float64) is wide
    assert type(constant_in_dtype(torch.ones(2**17, dtype=torch.bfloat16), torch.float32)) is Tensor
    assert isinstance(constant_in_dtype(torch.ones(2**17), torch.float64), Widened)


def test_its_fake_has_its_shape_and_no_memory() -> None:
    value = fake(Widened(weight(torch.float16).t(), torch.float64), FakeTensorMode())
    assert (tuple(value.shape), value.stride(), value.dtype) == ((5, 6), (1, 5), torch.float64)


class Tokens(nn.Module):
    """A table, a layer and a head that shares the table, as language models have them."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.norm = nn.Embedding(30, 8), nn.LayerNorm(8)
        self.gate, self.up = nn.Linear(8, 8, bias=False), nn.Linear(8, 8)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.table(ids)
        x = self.norm(x + self.gate(x).relu() * self.up(x))
        return x @ self.table.weight.t()


@pytest.mark.parametrize("dtype", few([torch.bfloat16, torch.float32], 1))
def test_an_artifact_has_the_bytes_that_it_has_without(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    model, ids = Tokens().eval().to(dtype), torch.randint(0, 30, (1, 5))
    monkeypatch.setattr(widened, "SMALLEST", 2**62)
    expected = fgcompile.compile(model, ids)
    monkeypatch.setattr(widened, "SMALLEST", 1)
    monkeypatch.setattr(emit, "IN_MEMORY", 0)
    assert fgcompile.compile(model, ids).content == expected.content
