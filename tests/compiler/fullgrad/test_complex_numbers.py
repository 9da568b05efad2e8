"""Full-gradients of models that compute with complex numbers, against autograd and against the score itself."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d

import fgcompile
from tests.support.sweeps import few


class Filter(nn.Module):
    """A global filter, as GFNet and Fourier neural operators have it: weights of frequencies."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4, 5)
        self.weights = nn.Parameter(torch.randn(4, 1, 5, dtype=torch.cdouble))

    def forward(self, x: Tensor) -> Tensor:
        features = self.first(x).relu()
        frequencies = torch.fft.rfft2(features, norm="ortho") * self.weights
        return self.last(torch.fft.irfft2(frequencies, s=features.shape[-2:], norm="ortho").relu().mean((2, 3)))


class Layers(nn.Module):
    """Linear layers of real and of complex numbers around a function."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.last, self.function = nn.Linear(4, 6), nn.Linear(12, 3), function
        self.middle = nn.Linear(6, 6, dtype=torch.cdouble)

    def forward(self, x: Tensor) -> Tensor:
        y = self.function(self.middle(torch.fft.fft(self.first(x))))
        return self.last(torch.view_as_real(y).flatten(1) if y.is_complex() else torch.cat([y, y.sin()], 1))


CONSTANT = torch.complex(torch.linspace(0.5, 1, 6).double(), torch.linspace(1, -1, 6).double())


def _written(z: Tensor) -> Tensor:
    result = torch.zeros_like(z)
    result[:, :4] = z[:, 2:]
    result[:, 4] += 2j
    result.real[:, 5] = z.imag[:, 0]
    return result


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "itself": lambda z: z,
    "sum with a constant": lambda z: z + CONSTANT,
    "product with a constant": lambda z: z * CONSTANT,
    "its square": lambda z: z * z,
    "its conjugate": lambda z: z.conj() * (z + 1),
    "exponential": lambda z: (z / 9).exp(),
    "logarithm": lambda z: (z + 20).log(),
    "power": lambda z: z**3,
    "quotient": lambda z: CONSTANT / (z + 20),
    "numbers on either side": lambda z: (2j - z) * 3j + z.real * (1 - 2j) + 1j / (z + 20),
    "wave of a real number": lambda z: torch.exp(1j * z.real),
    "writes": lambda z: _written(z),
    "choice": lambda z: torch.where(z.real > 0, z, 1j).masked_fill(z.imag > 2, 0),
    "norm": lambda z: torch.linalg.vector_norm(z, dim=-1, keepdim=True).expand(-1, 6) + z,
    "convolution": lambda z: conv1d(z.unsqueeze(1), CONSTANT[None, None, :3], CONSTANT[:1], padding=1)[:, 0],
    "root": lambda z: (z + 20).sqrt(),
    "tangent": lambda z: (z / 9).tanh(),
    "logistic": lambda z: (z / 9).sigmoid(),
    "magnitude": lambda z: z.abs(),
    "angle": lambda z: z.angle(),
    "direction": lambda z: z.sgn(),
    "rectified parts": lambda z: torch.complex(z.real.relu(), z.imag),
    "a part and a constant": lambda z: torch.complex(z.real, torch.ones(6).double()),
    "by magnitude": lambda z: torch.polar(z.abs(), z.angle() * 0.5),
    "matrix": lambda z: (z.unsqueeze(2) @ z.unsqueeze(1)).mean(2),
}


@pytest.mark.parametrize("name", few(FUNCTIONS, 12))
def test_terms_add_up_and_gradients_are_autograd_s(name: str) -> None:
    torch.manual_seed(0)
    model, x = Layers(FUNCTIONS[name]).double().eval(), torch.randn(3, 4).double()
    _require_exact(model, x)


def test_a_filter_of_frequencies_has_the_biases_of_its_layers_alone() -> None:
    torch.manual_seed(0)
    model = Filter().double().eval()
    x = torch.randn(2, 3, 8, 8).double()
    assert set(_require_exact(model, x).bias_gradients) == {"first", "last"}


def test_an_input_may_be_complex() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(4, 3, dtype=torch.cdouble)
    _require_exact(nn.Sequential(layer, _Magnitude()).eval(), torch.randn(2, 4, dtype=torch.cdouble))


class _Magnitude(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return (z * z).abs()


def _require_exact(model: nn.Module, x: Tensor) -> fgcompile.FullGradientTerms:
    """The terms, each bias parameter's being its value times autograd's gradient, over all samples."""
    terms = fgcompile.full_gradient(model, x, target=1, rules="taylor")  # what is divided by its norm is normalised
    assert terms.relative_completeness_error.max() < 1e-13
    given, biases = x.clone().requires_grad_(), {n: p for n, p in model.named_parameters() if n.endswith("bias")}
    of_x, *of_biases = torch.autograd.grad(model(given)[:, 1].sum(), [given, *biases.values()])
    torch.testing.assert_close(terms.input_gradient, of_x)
    for (name, bias), gradient in zip(biases.items(), of_biases, strict=True):
        expected = torch.view_as_real(gradient) * torch.view_as_real(bias) if bias.is_complex() else gradient * bias
        layer = name.removesuffix(".bias")
        found = [value for key, value in terms.bias_gradients.items() if key.partition(":")[0] == layer]
        assert not any(value.is_complex() for value in found)
        torch.testing.assert_close(sum(value.sum() for value in found), expected.sum())
    return terms
