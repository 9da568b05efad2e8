"""What holds for every graph, as figures with limits.

The oracles are completeness, plain autograd on the eager module, and the eager module's own outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

import fgcompile
from fgcompile import FullGradientTerms
from fgcompile.options import RULES
from fgcompile.pipeline import fuse
from fgcompile.program import Site
from fgcompile.runtime.session import open_session
from fgcompile.shapes import batch_axis
from tests.random_graphs.network import CLASSES, RandomNetwork, sample_inputs

BATCH = 3
"""The batch that everything is compared on: neither the one that is captured with, nor the one of back ends."""

Figures = dict[str, float]
"""Measured errors by property; see ``limit``."""

LIMITS: Mapping[str, float] = {
    "completeness": 1e-9,
    "input_gradient": 1e-9,
    "fused": 1e-9,
    "logits": 1e-4,
    "residual": 1e-3,
}


def limit(figure: str) -> float:
    """The largest value of a figure that passes; figures are named ``<property> <of what>``."""
    return LIMITS[figure.partition(" ")[0]]


def misses(figures: Figures) -> list[str]:
    """The figures that are above their limits; one that is not a number is."""
    return [name for name, value in figures.items() if not value <= limit(name)]


def relative_error(value: Tensor, expected: Tensor) -> float:
    """``max |value − expected| / max |expected|``; the numerator where nothing is expected."""
    if value.shape != expected.shape:
        return float("inf")
    difference = (value.double() - expected.double()).abs().max().item()
    scale = expected.abs().max().item()
    return difference / scale if scale > 0 else difference


def measure_exact(network: RandomNetwork) -> Figures:
    """In float64: completeness under every rule set, true gradients, and the fused graph with another batch.

    - ``completeness <rules>``: ``|f − Σ terms| / Σ |terms|`` of ``fgcompile.full_gradient``.
    - ``input_gradient``: of ``taylor``, from that of ``torch.autograd.grad`` on the module.
    - ``fused <output>``: the outputs of ``fgcompile.pipeline.fuse``, captured with one sample, from eager ones: the
      module's logits and gradient, the terms of ``fgcompile.full_gradient``, and the map that the paper makes of them.
    """
    shapes = network.description.inputs
    inputs = tuple(sample_inputs(shapes, BATCH, seed=1))
    target = torch.arange(BATCH) % CLASSES
    terms = {rules: fgcompile.full_gradient(network, inputs, target=target, rules=rules) for rules in RULES}
    figures = {
        f"completeness {rules}": value.relative_completeness_error.max().item() for rules, value in terms.items()
    }
    exact = terms["taylor"]
    logits, gradients = _by_autograd(network, inputs, target)
    figures["input_gradient"] = _gradient_error(_as_tuple(exact.input_gradient), gradients)

    has_map = len(shapes[0]) > 1 and len({len(shape) for shape in shapes}) == 1
    outputs = ("logits", *(("saliency",) if has_map else ()), "contributions", "input_gradient")
    program = fuse(network, tuple(value[:1] for value in inputs), outputs=outputs)
    values = program.graph_module(*inputs, target)
    fused = dict(zip((spec.name for spec in program.outputs), values, strict=True))
    figures["fused logits"] = relative_error(fused["logits"], logits)
    figures["fused gradient"] = _gradient_error([fused[n] for n in fused if n.startswith("input_gradient")], gradients)
    figures["fused contributions"] = relative_error(
        fused["contributions"], _contributions(program.sites, exact, inputs, gradients)
    )
    if has_map:
        figures["fused saliency"] = relative_error(
            fused["saliency"], _saliency(program.sites, exact, inputs[0], gradients[0])
        )
    return figures


def measure_artifact(network: RandomNetwork, format: str) -> Figures:
    """The artifact of a format, compiled in float32 with one sample, run with more.

    - ``logits <format>``: from those of the eager module in float32.
    - ``residual <format>``: ``|f − Σ terms| / Σ |terms|`` as the artifact itself measures it.

    Raises:
        FgcompileError: The graph cannot be expressed in the format.
    """
    single = RandomNetwork(network.description).float()
    inputs = tuple(value.float() for value in sample_inputs(network.description.inputs, BATCH, seed=1))
    outputs = ("logits", "contributions", "residual")
    artifact = fgcompile.compile(single, tuple(value[:1] for value in inputs), format=format, outputs=outputs)
    session = open_session(artifact.content, artifact.metadata, "the artifact", threads=1)
    explanation = session.explain(tuple(value.numpy() for value in inputs), torch.arange(BATCH).numpy() % CLASSES)
    with torch.no_grad():
        expected = single(*inputs)
    residual, contributions = map(torch.from_numpy, (explanation.residual, explanation.contributions))
    return {
        f"logits {format}": relative_error(torch.from_numpy(explanation.logits), expected),
        f"residual {format}": (residual.abs() / contributions.abs().sum(1)).max().item(),
    }


def _by_autograd(network: RandomNetwork, inputs: Sequence[Tensor], target: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
    leaves = [value.clone().requires_grad_() for value in inputs]
    logits = network(*leaves)
    gradients = torch.autograd.grad(logits.gather(1, target[:, None]).sum(), leaves)
    return logits.detach(), gradients


def _as_tuple(value: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (value,) if isinstance(value, Tensor) else value


def _gradient_error(values: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    """Of all inputs together, since one of them may hardly matter."""
    return relative_error(*(torch.cat([value.flatten(1) for value in side], 1) for side in (values, expected)))


def _eager_term(name: str, exact: FullGradientTerms) -> Tensor:
    """An eager site has one term, which bears its name or that of its bias parameter."""
    terms = exact.bias_gradients
    return terms[name] if name in terms else terms[name.removesuffix(".bias")]


def _contributions(
    sites: Sequence[Site], exact: FullGradientTerms, inputs: Sequence[Tensor], gradients: Sequence[Tensor]
) -> Tensor:
    """The sum of each term, the input's first, in the order of ``sites``; the batch may lie along another axis."""
    sums = [sum((x * g).flatten(1).sum(1) for x, g in zip(inputs, gradients, strict=True))]
    for site in sites:
        axis, factor = batch_axis(site.shape)
        for term in site.terms:
            moved = _eager_term(term.name, exact).movedim(axis, 0)
            sums.append(moved.reshape(BATCH, factor, -1).sum((1, 2)))
    return torch.stack(sums, 1)


def _saliency(sites: Sequence[Site], exact: FullGradientTerms, x: Tensor, gradient: Tensor) -> Tensor:
    """``Σ_terms Σ_channels upsample((|t| − min)/(max − min + ε))``, as the authors' code has it."""
    terms = [_eager_term(term.name, exact) for site in sites if site.layout == "spatial" for term in site.terms]
    mode = {3: "linear", 4: "bilinear", 5: "trilinear"}[x.ndim]
    total = torch.zeros_like(x[:, :1])
    for term in [x * gradient, *terms]:
        scaled = term.abs() - term.abs().flatten(1).amin(1).reshape(-1, *[1] * (term.ndim - 1))
        scaled = scaled / (scaled.flatten(1).amax(1).reshape(-1, *[1] * (term.ndim - 1)) + 1e-6)
        total += F.interpolate(scaled, x.shape[2:], mode=mode, align_corners=True).sum(1, keepdim=True)
    return total
