"""The methods: FullGrad, and its variants in the authors' code, from the same decomposition.

- ``fullgrad``: the terms ``δ ⊙ b`` themselves.
- ``simple_fullgrad``: the map takes the gradients ``δ`` at the layers that have a bias, without it.
- ``smooth_fullgrad``: the terms are averaged over noisy copies of the input, all in one call, before ψ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from fgcompile.compiler.fullgrad.differentiate import differentiate, model_output
from fgcompile.compiler.fullgrad.score import as_indices, class_logits, largest_places, score_functions
from fgcompile.compiler.fullgrad.smoothing import averaged, noisy
from fgcompile.compiler.fullgrad.terms import FullGradient, SiteValue, StandIns, TermValue
from fgcompile.compiler.ir.model_output import explained
from fgcompile.compiler.ir.programs import BiasedProgram
from fgcompile.compiler.ir.samples import output_axes
from fgcompile.compiler.request import Noise, Request
from fgcompile.errors import InputError

LAYERS = ("convolution", "linear", "batch_norm")
"""The kinds of sites that ``simple_fullgrad`` takes gradients at."""


def decompose(
    program: BiasedProgram,
    request: Request,
    inputs: Sequence[Tensor],
    chosen: Tensor | None,
    stand_ins: StandIns | None = None,
) -> list[FullGradient]:
    """The full-gradient of each question that a request asks, eager or traced; of the only one without ``targets``.

    Args:
        program: The exposed program.
        request: What to compute.
        inputs: The model's inputs, then the score's own.
        chosen: The element of the output that each sample, and question, asks for, with ``target=None``.
        stand_ins: What takes the place of constants while tracing.
    """
    if request.method != "smooth_fullgrad":
        return differentiate(program, inputs, score_functions(request, chosen), stand_ins)
    copies = 1 + request.copies.samples
    noise = stand_ins.noise if stand_ins else noise_constants(program, inputs, request.copies)
    named = dict(zip((*program.inputs, *program.score_inputs), inputs, strict=True))
    scores = score_functions(request, chosen, copies)
    results = differentiate(program, noisy(named, noise, request.copies.spread), scores, stand_ins)
    return [averaged(result, copies, output_axes(program)) for result in results]


def largest_elements(
    program: BiasedProgram, inputs: Sequence[Tensor], stand_ins: StandIns | None, request: Request
) -> Tensor:
    """The ``targets`` largest elements of the output of each sample, int64 ``(N, T[, r])``."""
    logits = class_logits(explained(model_output(program, inputs, stand_ins), request.output))
    assert isinstance(request.targets, int)
    return as_indices(largest_places(logits, request.targets), logits)


def noise_constants(program: BiasedProgram, inputs: Sequence[Tensor], noise: Noise) -> dict[str, Tensor]:
    """``ε`` for each floating-point input, ``(samples, …)`` like one sample of it, by the input's name.

    Raises:
        InputError: There is no floating-point input, or a size is dynamic.
    """
    generator = torch.Generator().manual_seed(noise.seed)
    constants = {}
    for name, value in zip(program.inputs, inputs, strict=False):
        if value.is_floating_point():
            shape = list(value.shape[1:])
            if not all(isinstance(size, int) for size in shape):
                raise InputError("smooth_fullgrad needs inputs of a fixed size: leave out dynamic_sizes")
            constants[name] = torch.randn([noise.samples, *shape], generator=generator).to(value.dtype)
    if not constants:
        raise InputError("smooth_fullgrad adds noise to floating-point inputs, and the model has none: use fullgrad")
    return constants


def of_parameters(result: FullGradient) -> FullGradient:
    """Without the terms whose bias depends on the input: those of activations, products and normalisations.

    ``docs/decisions/terms-of-parameters.md``.
    """
    sites = []
    for value in result.sites:
        kept = tuple(term for term, of in zip(value.terms, value.site.terms, strict=True) if of.affine)
        if kept:
            sites.append(SiteValue(value.site, kept))
    return replace(result, sites=tuple(sites))


def without_biases(result: FullGradient) -> FullGradient:
    """``δ`` in place of ``δ ⊙ b`` at layers that have a bias, and no other sites."""
    sites = []
    for value in result.sites:
        terms = [term for term, of in zip(value.terms, value.site.terms, strict=True) if of.kind in LAYERS]
        if terms:
            gradients = tuple(TermValue(term.name, term.gradient, None) for term in terms)
            sites.append(SiteValue(value.site, gradients))
    return replace(result, sites=tuple(sites))
