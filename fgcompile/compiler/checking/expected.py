"""What an artifact is to return: the eager outputs, with the terms grouped as the artifact's sites group them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from fgcompile.compiler.fullgrad.aggregation import bias_gradient
from fgcompile.compiler.fullgrad.eager import evaluate
from fgcompile.compiler.fullgrad.terms import FullGradient, SiteValue
from fgcompile.compiler.ir.programs import BiasedProgram, FusedProgram
from fgcompile.compiler.request import Request

SiteTerms = Mapping[str, Sequence[str]]
"""The names of each site's terms, in the order of an artifact's contributions."""


def terms_of(program: FusedProgram) -> SiteTerms:
    """The sites of a program with the names of their terms."""
    return {site.name: [term.name for term in site.terms] for site in program.sites}


def expected_outputs(
    exposed: BiasedProgram,
    request: Request,
    inputs: Sequence[Tensor],
    chosen: Tensor,
    sites: SiteTerms,
) -> tuple[dict[str, Tensor], Tensor]:
    """The eager outputs in the program's dtype, contributions among them, and the scores.

    With noisy copies sample by sample, which takes half the memory: ``docs/decisions/smooth-checks.md``.
    """
    request = replace(request, outputs=tuple(dict.fromkeys((*request.outputs, "contributions"))))
    dtype = _dtype_of(exposed)
    step = 1 if request.method == "smooth_fullgrad" else len(chosen)
    parts, scores = [], []
    for classes, *given in zip(*(torch.split(value, step) for value in (chosen, *inputs)), strict=True):
        result, outputs = evaluate(exposed, request, given, classes, dtype)
        parts.append(_regroup(sites, outputs, result))
        scores.append(result.score.detach())
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}, torch.cat(scores)


def _dtype_of(exposed: BiasedProgram) -> torch.dtype:
    """The floating-point dtype that a program computes in."""
    values = (*exposed.biases.values(), *exposed.graph_module.buffers())
    return next((value.dtype for value in values if value.is_floating_point()), torch.float64)


def _regroup(sites: SiteTerms, outputs: Mapping[str, Tensor], result: FullGradient) -> dict[str, Tensor]:
    """The eager outputs by the sites of a folded program, some of which carry the terms of two eager sites."""
    # Folding puts a BatchNorm's term at its convolution's site, so terms stand in another order than in the eager
    # program's. They keep their names, by which columns and products are looked up.
    owners = {term.name: value.site for value in result.sites for term in value.terms}
    terms = {term.name: term for value in result.sites for term in value.terms}
    order = {name: index for index, name in enumerate(terms)}
    columns = [0, *(1 + order[name] for names in sites.values() for name in names)]
    regrouped = {name: value for name, value in outputs.items() if not name.startswith("bias_gradients.")}
    regrouped["contributions"] = outputs["contributions"][:, columns]
    if len(regrouped) == len(outputs):
        return regrouped
    for name, names in sites.items():
        value = SiteValue(owners[names[0]], tuple(terms[term] for term in names))
        regrouped[f"bias_gradients.{name}"] = bias_gradient(value, len(result.score))
    return regrouped
