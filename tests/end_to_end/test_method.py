"""The variants of FullGrad, each against its definition written out with hooks or a loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import fgcompile
from fgcompile.compiler.pipeline import fuse
from fgcompile.demo.eager_fullgrad import fullgrad_reference
from fgcompile.errors import InputError
from tests.compiler.fullgrad.test_psi import rescaled, scaled_by_channel
from tests.support.networks import build

TARGET = torch.tensor([1, -1])


def enlarged(term: Tensor, like: Tensor, align_corners: bool) -> Tensor:
    return F.interpolate(term, like.shape[2:], mode="bilinear", align_corners=align_corners)


def test_simple_fullgrad_equals_the_authors_algorithm() -> None:
    model, x = build("batch norms")
    program = fuse(model, x, method="simple_fullgrad")
    actual = program.graph_module(x, TARGET)[1]
    gradients: list[Tensor] = []

    def keep(module: nn.Module, inputs: object, output: Tensor) -> None:
        # A BatchNorm without β has a bias all the same, −μ/√(σ²+ε), which the authors' code does not count.
        if getattr(module, "bias", None) is not None or isinstance(module, nn.modules.batchnorm._BatchNorm):
            output.register_hook(gradients.append)

    hooks = [module.register_forward_hook(keep) for module in model.modules() if not list(module.children())]
    image = x.clone().requires_grad_()
    logits = model(image)
    classes = torch.where(TARGET < 0, logits.argmax(1), TARGET)
    logits.gather(1, classes.unsqueeze(1)).sum().backward()
    for hook in hooks:
        hook.remove()
    expected = rescaled(image.grad * x).sum(1, True)
    for gradient in gradients:
        if gradient.ndim == x.ndim:
            expected = expected + enlarged(rescaled(gradient), x, True).sum(1, True)
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-9)


def test_smooth_fullgrad_averages_the_terms_of_noisy_copies() -> None:
    model, x = build("batch norms")
    noise = fgcompile.Noise(samples=3, spread=0.2, seed=7)
    outputs = ("logits", "saliency", "contributions", "input_gradient", "bias_gradients")
    program = fuse(model, x, method="smooth_fullgrad", noise=noise, outputs=outputs)
    actual = dict(zip((s.name for s in program.outputs), program.graph_module(x, TARGET), strict=True))
    logits = model(x)
    classes = torch.where(TARGET < 0, logits.argmax(1), TARGET)
    epsilon = torch.randn(3, *x.shape[1:], generator=torch.Generator().manual_seed(7)).double()
    sigma = 0.2 * (x.amax((1, 2, 3), True) - x.amin((1, 2, 3), True))
    copies = [x + sigma * e for e in epsilon]
    results = [fgcompile.full_gradient(model, copy, target=classes) for copy in copies]
    terms = {
        name: torch.stack([result.bias_gradients[name] for result in results]).mean(0)
        for name in results[0].bias_gradients
    }
    products = torch.stack([copy * r.input_gradient for copy, r in zip(copies, results, strict=True)]).mean(0)
    expected = rescaled(products).sum(1, True)
    for term in terms.values():
        if term.ndim == x.ndim:
            expected = expected + enlarged(rescaled(term), x, True).sum(1, True)
    torch.testing.assert_close(actual["logits"], logits, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(actual["saliency"], expected, rtol=1e-8, atol=1e-8)
    mean_score = torch.stack([result.score for result in results]).mean(0)
    torch.testing.assert_close(actual["contributions"].sum(1), mean_score, rtol=1e-9, atol=1e-9)
    mean_gradient = torch.stack([result.input_gradient for result in results]).mean(0)
    torch.testing.assert_close(actual["input_gradient"], mean_gradient, rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_smooth_fullgrad_of_tokens_before_the_batch() -> None:
    class Sequence(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.TransformerEncoderLayer(6, 2, 8)
            self.head = nn.Linear(6, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.layer(x.transpose(0, 1)).mean(0))

    torch.manual_seed(0)
    model, x = Sequence().double().eval(), torch.randn(2, 4, 6, dtype=torch.float64)
    outputs = ("contributions", "residual")
    program = fuse(model, x, method="smooth_fullgrad", noise=fgcompile.Noise(2), outputs=outputs, rules="libragrad")
    contributions, residual = program.graph_module(torch.cat([x, x[:1]]), torch.tensor([0, 0, 0]))
    assert residual.abs().max() < 1e-12
    torch.testing.assert_close(contributions[0], contributions[2])


class Gated(nn.Module):
    """Every kind of bias that depends on the input: a ReLU6, a gate, a product, an average's normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU6())
        self.body = nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1, groups=8, bias=False), nn.BatchNorm2d(8), nn.SiLU())
        self.gate = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(8, 8, 1), nn.Sigmoid())
        self.norm = nn.GroupNorm(2, 8)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = x + self.body(x) * self.gate(x)
        return self.head(self.norm(x).mean((2, 3)))


def gated() -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    model = Gated().double().eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
            module.bias.data.normal_()
    return model, torch.randn(2, 3, 10, 12, dtype=torch.float64)


def test_terms_of_parameters_make_the_authors_map_whatever_the_activations() -> None:
    model, x = gated()
    options: dict[str, Any] = {"rules": "taylor", "psi": "fullgrad"}
    options["outputs"] = ("logits", "saliency", "contributions", "residual")
    _, saliency, contributions, residual = fuse(model, x, terms="parameters", **options).graph_module(x, TARGET)
    classes = torch.where(TARGET < 0, model(x).argmax(1), TARGET)
    torch.testing.assert_close(saliency, fullgrad_reference(model, x, classes).saliency, rtol=1e-9, atol=1e-9)
    _, every, same, _ = fuse(model, x, **options).graph_module(x, TARGET)
    assert not torch.allclose(saliency, every, rtol=1e-2)
    torch.testing.assert_close(contributions, same, rtol=0, atol=0)
    assert residual.abs().max() < 1e-12


def test_terms_of_parameters_hold_constants_and_tables_of_embeddings() -> None:
    class Text(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.first = nn.Embedding(7, 4), nn.Parameter(torch.randn(1, 1, 4))
            self.layer, self.head = nn.Linear(4, 4), nn.Linear(4, 3)

        def forward(self, tokens: Tensor) -> Tensor:
            x = torch.cat([self.first.expand(tokens.shape[0], -1, -1), self.table(tokens)], 1)
            return self.head(self.layer(x).tanh().mean(1))

    torch.manual_seed(0)
    model, tokens = Text().double().eval(), torch.randint(7, (2, 6))
    actual = fuse(model, tokens, terms="parameters", psi="signed").graph_module(tokens, TARGET)[1]
    terms = fgcompile.full_gradient(model, tokens, target=TARGET).bias_gradients
    expected = terms["table"].sum(-1) + terms["layer"].sum(-1)[:, 1:]
    torch.testing.assert_close(actual.flatten(1), expected, rtol=1e-9, atol=1e-12)


def test_an_artifact_says_which_terms_its_map_has(tmp_path: Path) -> None:
    model, x = gated()
    artifact = fgcompile.compile(model.float(), x.float(), terms="parameters", outputs=("logits", "saliency"))
    assert artifact.metadata["terms"] == "parameters"
    artifact.save(tmp_path / "net.onnx")
    assert fgcompile.verify(tmp_path / "net.onnx", model, x.float()).passed


def test_the_grad_cam_preset_equals_its_formula() -> None:
    model, x = build("batch norms")
    actual = fuse(model, x, psi="grad-cam").graph_module(x, TARGET)[1]
    terms = fgcompile.full_gradient(model, x, target=TARGET)
    total = scaled_by_channel(terms.input_gradient * x).sum(1, True)
    for term in terms.bias_gradients.values():
        if term.ndim == x.ndim:
            total = total + enlarged(scaled_by_channel(term), x, False).sum(1, True)
    raised = total - total.amin((2, 3), True)
    torch.testing.assert_close(actual, raised / (1e-7 + raised.amax((2, 3), True)), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "simple_fullgrad", "terms": "parameters"}, "simple_fullgrad has none"),
        ({"method": "rough"}, "method is 'rough'"),
        ({"noise": fgcompile.Noise()}, "the method is fullgrad"),
        ({"noise": 0.1, "method": "smooth_fullgrad"}, r"noise is 0.1: pass fgcompile.Noise\("),
        ({"method": "smooth_fullgrad", "noise": fgcompile.Noise(samples=0)}, "samples must be 1 or more"),
    ],
)
def test_options_that_cannot_be(options: dict[str, object], message: str) -> None:
    model, x = build("batch norms")
    with pytest.raises(InputError, match=message):
        fuse(model, x, **options)


def test_noise_needs_a_number_to_add_it_to() -> None:
    model = nn.Sequential(nn.Embedding(5, 4), nn.Flatten(), nn.Linear(12, 2)).eval()
    with pytest.raises(InputError, match="has none: use fullgrad"):
        fuse(model, torch.ones(2, 3, dtype=torch.int64), method="smooth_fullgrad")
