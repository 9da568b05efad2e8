"""ψ and the aggregation of full-gradient terms into a map; plain torch functions that are traced with the rest.

    S(x) = ψ(∂f/∂x ⊙ x) + Σ_{layers l} Σ_{channels c} ψ(δ_l ⊙ b_l)_c               (the paper, eq. 5)

Everything after ψ is linear, so channels are summed before upsampling, and all layers of one resolution are added
before it: one upsampling per resolution, as two products with constant matrices.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from fgcompile.differentiate import FullGradient, TermValue
from fgcompile.shapes import batch_axis

EPSILON = 1e-6
"""The constant in ψ's denominator, as in the authors' code."""


class Psi(Protocol):
    """Post-processing ψ, applied to all terms of one resolution."""

    def summed(self, terms: Sequence[TermValue]) -> Tensor:
        """``Σ_t Σ_c ψ(t)_c``, ``(N, *spatial)``, of terms ``t = δ ⊙ b`` ``(N, C_t, *spatial)``."""


@dataclass(frozen=True)
class FullGradPsi:
    """The published code's ψ: absolute value, then min-max per sample over channels and space jointly.

    With ``t = |δ ⊙ b|``, ``Σ_c (t_c − min)/(max − min + ε) = (Σ_c t_c − C min)/(max − min + ε)``. The sums of all terms
    are put side by side, so that the division is one product with the reciprocals.
    """

    def summed(self, terms: Sequence[TermValue]) -> Tensor:
        spatial = terms[0].gradient.shape[2:]
        reduced = [_reduced(term) for term in terms]
        totals = torch.cat([r.total for r in reduced], 1)
        maxima = torch.cat([r.maximum for r in reduced], 1)
        minima = torch.cat([r.minimum for r in reduced], 1)
        floors = torch.cat([r.minimum * r.channels for r in reduced], 1)
        weights = 1 / (maxima - minima + EPSILON)
        return torch.matmul(weights.unsqueeze(1), totals - floors.unsqueeze(2)).reshape(-1, *spatial)


@dataclass(frozen=True)
class _Reduced:
    """What min-max over one term ``t = |δ ⊙ b|`` needs of it.

    Attributes:
        total: ``Σ_c t_c``, ``(N, 1, H W)``.
        maximum: Over channels and space, ``(N, 1)``.
        minimum: Likewise.
        channels: C.
    """

    total: Tensor
    maximum: Tensor
    minimum: Tensor
    channels: int


def _reduced(term: TermValue) -> _Reduced:
    channels, spatial = term.gradient.shape[1], term.gradient.shape[2:].numel()
    if term.channel_axis == 1 and term.bias.ndim == 1:
        # Σ_c |δ_c| |b_c| as a matrix product, and the extremes per channel first: |δ ⊙ b| is never formed.
        flat = term.gradient.abs().reshape(-1, channels, spatial)
        weight = term.bias.abs()
        total = torch.matmul(weight.reshape(1, 1, channels), flat)
        maximum = (flat.amax(2) * weight).amax(1, keepdim=True)
        minimum = (flat.amin(2) * weight).amin(1, keepdim=True)
    else:
        flat = term.product().abs().reshape(-1, channels, spatial)
        total = flat.sum(1, keepdim=True)
        maximum = flat.amax(2).amax(1, keepdim=True)
        minimum = flat.amin(2).amin(1, keepdim=True)
    return _Reduced(total, maximum, minimum, channels)


PSI: Mapping[str, Psi] = {"fullgrad": FullGradPsi()}
"""The presets by name."""


def saliency(full_gradient: FullGradient, psi: Psi) -> Tensor:
    """The saliency map ``(N, 1, *spatial)`` at the input's size.

    The spatial terms are those of sites whose layout is spatial; the others enter only the completeness sum.
    """
    x, gradient = full_gradient.inputs[0], full_gradient.input_gradients[0]
    size = tuple(x.shape[2:])
    layers: dict[tuple[int, ...], list[TermValue]] = {size: [TermValue("x", gradient, x, None)]}
    for value in full_gradient.sites:
        if value.site.layout == "spatial":
            layers.setdefault(tuple(value.terms[0].gradient.shape[2:]), []).extend(value.terms)
    total: Tensor | None = None
    for terms in layers.values():
        resized = _upsampled(psi.summed(terms), size)
        total = resized if total is None else total + resized
    assert total is not None
    return total.unsqueeze(1)


def contributions(full_gradient: FullGradient) -> Tensor:
    """The signed sum of each term ``(N, 1 + T)``: the input's first, then the bias terms by site."""
    pairs = zip(full_gradient.inputs, full_gradient.input_gradients, strict=True)
    sums = [_added([_total(x * gradient, 0, 1) for x, gradient in pairs])]
    sums += [
        _contribution(term, *batch_axis(value.site.shape)) for value in full_gradient.sites for term in value.terms
    ]
    return torch.stack(sums, 1)


def bias_gradients(full_gradient: FullGradient) -> dict[str, Tensor]:
    """Each site's ``δ ⊙ b``, its terms added, by the site's name."""
    return {
        value.site.name: _added([term.product().expand_as(term.gradient) for term in value.terms])
        for value in full_gradient.sites
    }


def _contribution(term: TermValue, axis: int, factor: int) -> Tensor:
    if term.channel_axis == 1 and term.bias.ndim == 1 and term.gradient.ndim > 2 and (axis, factor) == (0, 1):
        spatial = term.gradient.shape[2:].numel()
        by_channel = term.gradient.reshape(-1, term.gradient.shape[1], spatial).sum(2)
        return torch.matmul(by_channel, term.bias.reshape(-1, 1)).reshape(-1)
    return _total(term.product(), axis, factor)


def _total(product: Tensor, axis: int, factor: int) -> Tensor:
    """The sum over everything but the batch, which runs along ``axis`` with ``factor`` entries a sample."""
    moved = product.movedim(axis, 0)
    if factor == 1:
        return moved.sum(tuple(range(1, moved.ndim))) if moved.ndim > 1 else moved  # without axes, sum takes all
    return moved.reshape(-1, factor * moved.shape[1:].numel()).sum(1)


def _added(values: Sequence[Tensor]) -> Tensor:
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total


def _upsampled(values: Tensor, size: tuple[int, ...]) -> Tensor:
    """Multilinear interpolation with ``align_corners=True`` of ``(N, *spatial)``, one matrix product per axis."""
    for axis, (small, large) in enumerate(zip(values.shape[1:], size, strict=True), start=1):
        if small != large:
            matrix = _interpolation_matrix(small, large, values)
            values = _product_along(values, matrix, axis)
    return values


def _product_along(values: Tensor, matrix: Tensor, axis: int) -> Tensor:
    """Applies ``matrix`` ``(large, small)`` along an axis of ``(N, *spatial)``."""
    if axis == values.ndim - 1:
        return torch.matmul(values, matrix.t())
    if axis == values.ndim - 2:
        return torch.matmul(matrix, values)
    return torch.matmul(values.transpose(axis, -1), matrix.t()).transpose(axis, -1)


def _interpolation_matrix(small: int, large: int, like: Tensor) -> Tensor:
    """The hat functions of linear interpolation, ``max(0, 1 − |i (small − 1)/(large − 1) − j|)``, ``(large, small)``.

    Written as arithmetic on ranges, which is traced and folded into a constant.
    """
    step = (small - 1) / (large - 1) if large > 1 else 0.0
    rows = torch.arange(large, dtype=like.dtype, device=like.device).reshape(-1, 1) * step
    columns = torch.arange(small, dtype=like.dtype, device=like.device).reshape(1, -1)
    return (1 - (rows - columns).abs()).clamp(min=0)
