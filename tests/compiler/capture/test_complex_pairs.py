"""Complex numbers as pairs: artifacts equal PyTorch's own, terms are exact, and what has no rule is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.compiler.capture.capture import capture
from fgcompile.errors import ScoreError, UnsupportedOpError
from tests.compiler.fullgrad.test_complex_numbers import FUNCTIONS, Filter, Layers
from tests.support.sweeps import few


class Spectrogram(nn.Module):
    """Magnitudes of short-time frequencies in bands, as models of sound take them."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(16))
        self.bands, self.head = nn.Linear(9, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        spectrum = torch.stft(x, 16, 8, window=self.window.to(x.dtype), return_complex=True)
        return self.head((self.bands(spectrum.abs().square().mT) + 5).abs().log().mean(1))


class Fourier(nn.Module):
    """A layer of a Fourier neural operator: a few frequencies have weights, the others none."""

    def __init__(self) -> None:
        super().__init__()
        self.lift, self.head = nn.Conv1d(2, 4, 1), nn.Linear(4, 3)
        self.weights = nn.Parameter(torch.randn(4, 4, 5, dtype=torch.cfloat) / 4)

    def forward(self, x: Tensor) -> Tensor:
        y = self.lift(x)
        frequencies = torch.fft.rfft(y)
        kept = torch.einsum("bix,iox->box", frequencies[..., :5], self.weights)
        kept = torch.nn.functional.pad(kept, (0, frequencies.shape[-1] - 5))
        return self.head(nn.functional.gelu(torch.fft.irfft(kept, n=x.shape[-1])).mean(2))


TRANSFORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "rfft": lambda x: torch.fft.rfft(x).abs(),
    "rfft of an odd size": lambda x: torch.fft.rfft(x, n=7, norm="forward").real,
    "fft": lambda x: torch.fft.fft(x, norm="ortho").imag + torch.fft.fft(x).real,
    "ifft": lambda x: torch.fft.ifft(torch.fft.fft(x) * (1 + 1j)).real,
    "ihfft": lambda x: torch.fft.ihfft(x).imag,
    "hfft": lambda x: torch.fft.hfft(torch.complex(x, x.flip(-1))),
    "two axes": lambda x: torch.fft.ifft2(torch.fft.fft2(x).conj() * 0.5).abs(),
    "rfft2": lambda x: (torch.fft.rfft2(x, norm="backward") + 100j).angle(),
    "irfft2": lambda x: torch.fft.irfft2(torch.complex(x, -x), norm="forward"),
    "irfft2 of an odd size": lambda x: torch.fft.irfft2(torch.complex(x, -x), s=(4, 7)),
    "shifted": lambda x: torch.fft.fftshift(torch.fft.fft2(x), dim=(-2, -1)).abs(),
    "three axes": lambda x: torch.fft.rfftn(x.unsqueeze(1).expand(-1, 3, -1, -1), dim=(1, 2, 3)).abs().mean(1),
}


class Transformed(nn.Module):
    """A transform between two layers."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.last, self.function = nn.Linear(6, 8), nn.LazyLinear(3), function

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.function(self.first(x)).relu().flatten(1))


@pytest.mark.parametrize("name", few(TRANSFORMS, 6))
def test_transforms_are_pytorch_s(name: str) -> None:
    torch.manual_seed(0)
    model, x = Transformed(TRANSFORMS[name]).eval(), torch.randn(2, 4, 6).double()
    model.double()(x)
    captured = capture(model.double(), x)
    assert not any(
        value.is_complex()
        for node in captured.graph_module.graph.nodes
        if isinstance(value := node.meta.get("val"), Tensor)
    )
    torch.testing.assert_close(captured.graph_module(x)[0], model(x), rtol=1e-12, atol=1e-12)
    terms = fgcompile.full_gradient(model, x, target=1)
    given = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(given)[:, 1].sum(), given)
    torch.testing.assert_close(terms.input_gradient, gradient, rtol=1e-10, atol=1e-12)
    assert terms.relative_completeness_error.max() < 1e-13


MODELS = {
    "spectrogram": (Spectrogram, (128,)),
    "Fourier neural operator": (Fourier, (2, 16)),
    "global filter": (lambda: Narrow(Filter().double()), (3, 8, 8)),
}


@pytest.mark.parametrize("name", MODELS)
def test_artifacts_return_what_the_model_does(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    build, shape = MODELS[name]
    model, x = build().eval(), torch.randn(3, *shape)
    artifact = fgcompile.compile(model, x[:2])
    artifact.save(tmp_path / "model.onnx")
    explanation = artifact.session().explain(x)
    torch.testing.assert_close(explanation.logits, model(x).detach(), rtol=1e-4, atol=1e-5)
    assert fgcompile.verify(tmp_path / "model.onnx", model, x).passed
    assert explanation.saliency.max() > 0


@pytest.mark.parametrize("name", few(FUNCTIONS, 3))
def test_functions_of_complex_numbers_compile_or_are_named(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, x = Narrow(Layers(FUNCTIONS[name]).double()).eval(), torch.randn(3, 4)
    if name in ("tangent", "logistic"):
        with pytest.raises(UnsupportedOpError, match=r"operator 'aten.* in 'model.*' computes with complex"):
            fgcompile.compile(model, x)
    else:
        fgcompile.compile(model, x).save(tmp_path / "model.onnx")
        assert fgcompile.verify(tmp_path / "model.onnx", model, x).passed


class Narrow(nn.Module):
    """A model of float64 that takes and returns float32."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x.double()).float()


class Long(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.rfft(x).abs()[:, :5] + 1


class Magnitudes(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.abs()[:, :5]


class OfAll(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.fftn(x).abs()


class Complex(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.fft.rfft(x)[:, :5]


class Beside(nn.Module):
    """Magnitudes of frequencies, and the frequencies; with constants whose names are those of parts."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(6, 8)
        self.register_buffer("k", torch.randn(8, dtype=torch.cfloat))
        self.register_buffer("k_real", torch.randn(8))
        self.register_buffer("k_imag", torch.ones(8))
        self.register_buffer("constant_k_real", torch.randn(8))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = torch.fft.fft(self.first(x)) * self.k
        scales = self.k_real + self.k_imag + self.constant_k_real + torch.fft.fft(torch.arange(8.0)).abs()
        return z.abs() * scales, z


def test_complex_numbers_beside_what_is_explained_are_left_out_or_named() -> None:
    torch.manual_seed(0)
    model, x = Beside().eval(), torch.randn(3, 6)
    explanation = fgcompile.compile(model, x[:2], output=0).session().explain(x)
    torch.testing.assert_close(explanation.logits, model(x)[0].detach(), rtol=1e-5, atol=1e-4)
    with pytest.raises(ScoreError, match="the model's output is complex, and what is explained is a real number"):
        fgcompile.compile(model, x, output=1)
    with pytest.raises(UnsupportedOpError, match="returns complex numbers"):
        fgcompile.compile(model, x, output=0, outputs=("logits", "saliency", "model"))


def test_what_has_no_matrix_and_what_is_complex_itself_are_named() -> None:
    with pytest.raises(UnsupportedOpError, match=r"_fft_r2c.* transforms an axis of 5000, 4096 at most"):
        fgcompile.compile(Long().eval(), torch.randn(2, 5000))
    with pytest.raises(UnsupportedOpError, match="dynamic size, which has no constant matrix: leave out dynamic_sizes"):
        fgcompile.compile(Fourier().eval(), torch.randn(2, 2, 16), dynamic_sizes=True)
    with pytest.raises(ScoreError, match="the score is complex, and what is explained is a real number"):
        fgcompile.compile(Complex().eval(), torch.randn(2, 64), target=lambda z: z[:, 0])
    with pytest.raises(UnsupportedOpError, match="transforms along the batch"):
        fgcompile.compile(OfAll().eval(), torch.randn(2, 6))
    of_real_parts = {"target": lambda z: z.real[:, 0], "outputs": ("saliency",)}
    score = fgcompile.compile(Complex().eval(), torch.randn(2, 64), **of_real_parts)
    assert score.session().explain(torch.randn(3, 64)).saliency is not None
    with pytest.raises(UnsupportedOpError, match="input 'x' is complex"):
        fgcompile.compile(Magnitudes().eval(), torch.randn(2, 64, dtype=torch.cfloat))
