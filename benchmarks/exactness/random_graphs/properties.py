"""What holds for every graph, as figures with limits.

The oracles are completeness, plain autograd on the eager module, and the eager module's own outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

import fgcompile
from benchmarks.exactness.random_graphs.network import CLASSES, RandomNetwork, sample_inputs
from fgcompile.compiler.capture.capture import capture
from fgcompile.compiler.expose.expose import expose
from fgcompile.compiler.fullgrad.eager import FullGradientTerms, evaluate_outputs, full_gradient_terms
from fgcompile.compiler.fusing import fuse_captured
from fgcompile.compiler.ir.programs import CapturedProgram, Site
from fgcompile.compiler.request import Request
from fgcompile.compiler.rules import RULE_SETS, apply_rules
from fgcompile.runtime.session import open_session

BATCH = 3
"""The batch that everything is compared on: neither the one that is traced with, nor the one of back ends."""

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
    """In float64, under every rule set: completeness, and the fused graph with another batch than it was traced with.

    - ``completeness <rules>``: ``|f − Σ terms| / Σ |terms|`` of the eager full-gradient.
    - ``input_gradient``: of ``taylor``, from that of ``torch.autograd.grad`` on the module.
    - ``fused <output> <rules>``: the outputs of the fused graph from the module's logits and the eager full-gradient's
      terms and map.

    Where a rule set leaves the same graph as another one, it is measured once.
    """
    inputs = tuple(sample_inputs(network.description.inputs, BATCH, seed=1))
    target = torch.arange(BATCH) % CLASSES
    logits, gradients = _by_autograd(network, inputs, target)
    figures: Figures = {}
    captured = capture(network, inputs)
    measured: dict[str, tuple[Figures, tuple[Tensor, ...]]] = {}
    for rules in RULE_SETS:
        program = apply_rules(captured, rules)
        graph = str(program.graph_module.graph)
        if graph not in measured:
            measured[graph] = _measure_captured(program, inputs, target, logits)
        errors, gradient = measured[graph]
        figures |= {f"{name} {rules}": error for name, error in errors.items()}
        if rules == "taylor":
            figures["input_gradient"] = _gradient_error(gradient, gradients)
    return figures


def _measure_captured(
    captured: CapturedProgram, inputs: tuple[Tensor, ...], target: Tensor, logits: Tensor
) -> tuple[Figures, tuple[Tensor, ...]]:
    """What ``measure_exact`` tells of a program under a rule set, and its input-gradients."""
    exposed = expose(captured)
    exact = full_gradient_terms(exposed, inputs, target)
    figures = {"completeness": exact.relative_completeness_error.max().item()}
    maps = ("saliency",) if exposed.maps else ()
    request = Request(("logits", *maps, "contributions", "input_gradient"), rules="taylor", psi="fullgrad")
    _, program = fuse_captured(captured, request, inputs)
    values = program.graph_module(*inputs, target)
    fused = dict(zip((spec.name for spec in program.outputs), values, strict=True))
    fused_gradients = [fused[name] for name in fused if name.startswith("input_gradient")]
    expected = {"logits": logits, "contributions": _contributions(program.sites, exact, inputs)}
    expected |= evaluate_outputs(exposed, Request(maps, psi="fullgrad"), inputs, target, torch.float64) if maps else {}
    figures |= {f"fused {name}": relative_error(fused[name], value) for name, value in expected.items()}
    gradients = _as_tuple(exact.input_gradient)
    figures["fused gradient"] = _gradient_error(fused_gradients, gradients)
    return figures, gradients


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


def _contributions(sites: Sequence[Site], exact: FullGradientTerms, inputs: Sequence[Tensor]) -> Tensor:
    """The sum of each term, the input's first, in the order of ``sites``."""
    gradients = _as_tuple(exact.input_gradient)
    sums = [torch.stack([(x * g).flatten(1).sum(1) for x, g in zip(inputs, gradients, strict=True)]).sum(0)]
    for site in sites:
        sums += [_eager_term(term.name, exact).flatten(1).sum(1) for term in site.terms]
    return torch.stack(sums, 1)
