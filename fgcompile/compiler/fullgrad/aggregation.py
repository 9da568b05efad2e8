"""The aggregation of full-gradient terms into maps and sums; plain torch functions that are traced with the rest.

    S(x) = ψ(∂f/∂x ⊙ x) + Σ_{layers l} Σ_{channels c} ψ(δ_l ⊙ b_l)_c               (the paper, eq. 5)

Everything after ψ is linear, so channels are summed before upsampling, and all layers of one resolution are added
before it: one upsampling per resolution (``enlarging``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from fgcompile.compiler.fullgrad.arrangement import (
    BATCH_FIRST,
    at_size,
    batch_first,
    fold,
    grid_at,
    is_first,
    placed_at,
)
from fgcompile.compiler.fullgrad.psi import PlacedTerm, Psi
from fgcompile.compiler.fullgrad.terms import FullGradient, SiteValue, TermValue
from fgcompile.compiler.ir.programs import Batch, Placement
from fgcompile.compiler.ir.samples import require_batch
from fgcompile.errors import CaptureError


def saliency(full_gradient: FullGradient, psi: Psi) -> dict[str, Tensor]:
    """For each input with a spatial layout its map ``(N, 1, *spatial)``, at the input's size.

    The terms that enter it are the input's own and those of the sites that lie over it; the others enter only the
    completeness sum.
    """
    return {placement.input: _map(full_gradient, placement, psi) for placement in full_gradient.maps}


def _map(full_gradient: FullGradient, over: Placement, psi: Psi) -> Tensor:
    placed = [PlacedTerm(term, over) for term in full_gradient.input_terms if term.name == over.input]
    samples = full_gradient.score.shape[0]
    # Of an integer input there is no gradient that would have its size.
    grid = placed[0].grid if placed else grid_at(over, full_gradient.sizes)
    placed += [
        PlacedTerm(
            term,
            placed_at(placement, term.gradient, samples, full_gradient.sizes),
            len(value.site.placements),
        )
        for value in full_gradient.sites
        for placement in value.site.placements
        for term in value.terms
        if placement.input == over.input
    ]
    # By the text of the grid, since sizes may be symbolic and to compare two would make them equal from then on.
    layers: dict[str, list[PlacedTerm]] = {}
    for one in placed:
        layers.setdefault(str(one.grid), []).append(one)
    total: Tensor | None = None
    for terms in layers.values():
        resized = psi.enlarged(psi.summed(terms, full_gradient.orders), grid)
        total = resized if total is None else total + resized
    if total is None:
        raise CaptureError(
            f"no layer between '{over.input}' and the score lies over it, so that there is nothing to make its map of: "
            f"leave saliency out of the outputs, or this map, layouts={{'{over.input}': 'none'}}"
        )
    return psi.finished(total).unsqueeze(1)


def contributions(full_gradient: FullGradient) -> Tensor:
    """The signed sum of each term ``(N, 1 + T)``: the inputs' together first, then the bias terms by site."""
    inputs = [_total(term.product(), BATCH_FIRST) for term in full_gradient.input_terms]
    sums = [_added(inputs) if inputs else torch.zeros_like(full_gradient.score)]
    samples = full_gradient.score.shape[0]
    for value in full_gradient.sites:
        batch = _batch_of(value, samples)
        sums += [_contribution(term, batch) for term in value.terms]
    return torch.stack(sums, 1)


def bias_gradients(full_gradient: FullGradient) -> dict[str, Tensor]:
    """Each site's ``δ ⊙ b``, by the site's name."""
    samples = full_gradient.score.shape[0]
    return {value.site.name: bias_gradient(value, samples) for value in full_gradient.sites}


def bias_gradient(value: SiteValue, samples: int) -> Tensor:
    """A site's ``δ ⊙ b``, its terms added: ``(N, …)``, whatever the axis of its batch.

    Where several entries of that axis belong to a sample they stay together, behind the samples: ``(N, factor, …)``.
    """
    total, batch = _added([term.product().expand_as(term.gradient) for term in value.terms]), _batch_of(value, samples)
    single = not batch.at_size and batch.factor == 1
    return total.movedim(batch.axis, 0) if single and total.ndim else batch_first(total, batch)


def _batch_of(value: SiteValue, samples: int) -> Batch:
    """Where a site's samples are.

    Raises:
        CaptureError: They are not along one axis, so that no term of a sample can be told.
    """
    require_batch(value.site)
    return at_size(value.site.batch, value.terms[0].gradient, samples)


def _contribution(term: TermValue, batch: Batch) -> Tensor:
    constant = term.bias is not None and term.bias.ndim == 1
    if constant and term.channel_axis == 1 and term.gradient.ndim > 2 and is_first(batch):
        assert term.bias is not None
        samples, channels, *space = term.gradient.shape
        by_channel = fold(term.gradient, [samples, channels, math.prod(space)]).sum(2)
        return torch.matmul(by_channel, term.bias.reshape(-1, 1)).reshape(-1)
    return term.scaled(_total(term.without_factor().expand_as(term.gradient), batch))


def _total(product: Tensor, batch: Batch) -> Tensor:
    """The sum over everything but the batch."""
    fronted = batch_first(product, batch)
    return fronted.sum(tuple(range(1, fronted.ndim))) if fronted.ndim > 1 else fronted


def _added(values: Sequence[Tensor]) -> Tensor:
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total
