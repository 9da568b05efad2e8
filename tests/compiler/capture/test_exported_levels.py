"""What PyTorch's quantisation of exported programs writes compiles as it is, with the straight-through gradient."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.export import Dim, export

import fgcompile
from fgcompile.errors import CaptureError

importlib.import_module("torch.ao.quantization.fx._decomposed")  # it defines the operators
operators = torch.ops.quantized_decomposed


def rounded(x: Tensor, scale: float, zero: int, between: Callable[[Tensor], Tensor] = lambda q: q) -> Tensor:
    numbers = (scale, zero, -128, 127, torch.int8)
    return operators.dequantize_per_tensor(between(operators.quantize_per_tensor(x, *numbers)), *numbers)


def straight(x: Tensor, scale: float, zero: int) -> Tensor:
    """The same, of PyTorch's simulated quantisation, which has a gradient of its own."""
    return torch.fake_quantize_per_tensor_affine(x, scale, zero, -128, 127)


class Net(nn.Module):
    """A path that is quantised, its weight by channel and its levels moved, and one that is not."""

    def __init__(self, rounding: Callable[..., Tensor] = rounded, last: float = 0.1) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.register_buffer("weight", torch.randint(-120, 120, (6, 3, 3, 3), dtype=torch.int8))
        self.register_buffer("scale", torch.rand(6) / 100 + 0.002)
        self.register_buffer("zero", torch.zeros(6, dtype=torch.int64))
        self.head, self.rounding, self.last = nn.Linear(9, 4), rounding, last

    def forward(self, x: Tensor) -> Tensor:
        weight = operators.dequantize_per_channel(self.weight, self.scale, self.zero, 0, -127, 127, torch.int8)
        hidden = nn.functional.conv2d(self.rounding(x, 0.01, -3), weight, padding=1).relu()
        features = self.rounding(hidden, 0.05, -128).mean((2, 3))
        return self.rounding(self.head(torch.cat([features, x.mean((2, 3))], 1)), self.last, 5)


X = torch.randn(3, 3, 5, 5, generator=torch.Generator().manual_seed(1))


def test_the_gradient_is_that_of_simulated_quantisation() -> None:
    network, simulated = Net().eval(), Net(straight).eval()
    leaf = X.clone().requires_grad_()
    (expected,) = torch.autograd.grad(simulated(leaf)[:, 2].sum(), leaf)
    assert (X.abs() > 1.3).any()  # beyond the levels
    for model in (network, export(network, (X,), dynamic_shapes=({0: Dim("batch")},))):
        terms = fgcompile.full_gradient(model, X, target=2)
        torch.testing.assert_close(terms.output, network(X))
        torch.testing.assert_close(terms.input_gradient, expected)
        assert terms.relative_completeness_error.max() < 1e-6


def test_a_rounding_error_is_a_term_of_its_own_without_the_zero_point() -> None:
    program = export(Net().eval(), (X,), dynamic_shapes=({0: Dim("batch")},)).module()  # has no eval()
    artifact = fgcompile.compile(program, X, outputs=("logits", "contributions", "residual"))
    kinds = [term["kind"] for site in artifact.metadata["sites"] for term in site["terms"]]
    assert kinds == ["quantization", "quantization", "linear", "quantization"]
    assert artifact.metadata["completeness"] < 1e-9


def test_levels_may_be_moved() -> None:
    class Moved(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return rounded(x, 0.1, 7, lambda q: q.permute(0, 2, 3, 1).flatten(1)) * torch.arange(75.0)

    terms = fgcompile.full_gradient(Moved().eval(), X, target=3)
    assert list(terms.bias_gradients) == ["quantized"]
    assert terms.input_gradient.count_nonzero() == 3
    assert terms.relative_completeness_error.max() < 1e-6


def test_a_logit_beyond_its_levels_is_explained() -> None:
    wide, narrow = (fgcompile.full_gradient(Net(last=last).eval(), X, target=1) for last in (0.1, 1e-4))
    assert narrow.output.abs().max() < 0.02 < wide.output[:, 1].abs().min()
    torch.testing.assert_close(narrow.input_gradient, wide.input_gradient)


class Refused(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x).flatten(1)


def _by_the_batch(x: Tensor) -> Tensor:
    scale, zero = operators.choose_qparams.tensor(x, -128, 127, 1e-5, torch.int8)
    return operators.quantize_per_tensor.tensor(x, scale, zero, -128, 127, torch.int8).float() * scale


REFUSED: dict[str, Any] = {
    r"computes with numbers of 8 bits themselves \(aten\.": lambda x: rounded(x, 0.1, 0, lambda q: q * q),
    r"quantises by quantized_decomposed.choose_qparams.tensor, which is not read": _by_the_batch,
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_is_refused_is_named(message: str) -> None:
    with pytest.raises(CaptureError, match=message):
        fgcompile.full_gradient(Refused(REFUSED[message]).eval(), X)


def test_layers_of_quantised_tensors_are_refused_by_name() -> None:
    layer = torch.ao.nn.quantized.dynamic.Linear(75, 3)
    with pytest.raises(CaptureError, match=r"'1' \(Linear of torch.ao.nn.quantized\) computes with quantised tensors"):
        fgcompile.compile(nn.Sequential(nn.Flatten(), layer).eval(), X)
