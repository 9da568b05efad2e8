"""The parts of gated activations make their slopes and their implicit biases, as autograd has them in float64."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fgcompile.compiler.ir.gated import GATES, GELU, Gated

aten = torch.ops.aten

CASES: dict[str, tuple[Callable[[Tensor], Tensor], Gated]] = {
    "gelu": (F.gelu, GELU["none"]),
    "gelu tanh": (lambda x: F.gelu(x, approximate="tanh"), GELU["tanh"]),
    "silu": (F.silu, GATES[aten.silu.default]),
    "mish": (F.mish, GATES[aten.mish.default]),
    "hardswish": (F.hardswish, GATES[aten.hardswish.default]),
}


def values() -> Tensor:
    return torch.cat([torch.linspace(-40.0, 40.0, 801, dtype=torch.float64), torch.tensor([1e-30, 1e3, -1e3, 1e12])])


def by_autograd(function: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    leaf = x.detach().requires_grad_()
    output = function(leaf)
    (slope,) = torch.autograd.grad(output.sum(), leaf)
    return output.detach(), slope


@pytest.mark.parametrize("name", CASES)
def test_slope_and_bias_are_those_of_autograd(name: str) -> None:
    function, gated = CASES[name]
    x = values()
    output, slope = by_autograd(function, x)
    torch.testing.assert_close(gated.slope(x), slope, rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(x * gated.gate(x), output, rtol=1e-12, atol=1e-14)
    bias = -gated.factor * x * gated.rise(x)
    torch.testing.assert_close(bias, output - slope * x, rtol=1e-9, atol=1e-12 * float(x.abs().max()))


def test_float32_keeps_the_digits_of_a_gelu_that_is_nearly_linear() -> None:
    function, gated = CASES["gelu"]
    x = torch.linspace(3.0, 6.0, 101)
    output, slope = by_autograd(function, x.double())
    expected = output - slope * x.double()
    bias = -gated.factor * x * gated.rise(x)
    assert ((bias.double() - expected) / expected).abs().quantile(0.9) < 1e-5


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_large_activations_have_no_bias_and_no_nan(name: str, dtype: torch.dtype) -> None:
    _, gated = CASES[name]
    sizes = torch.tensor([50.0, 100.0, 300.0, 1e3, 6e4, 1e12, 1e18, 1e30])
    sizes = sizes[sizes < torch.finfo(dtype).max].to(dtype)
    x = torch.cat([sizes, -sizes])
    assert (x * gated.rise(x)).abs().max() < 1e-6
    torch.testing.assert_close(gated.slope(x), (x > 0).to(dtype))
