"""ψ: how a term ``δ ⊙ b`` becomes non-negative and comparable with others before the terms are added to a map.

Everything after ψ is linear, so ψ is followed by the sum over channels at once: ``Σ_c ψ(t)_c`` of
``(N, C, *spatial)`` is ``(N, *spatial)``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import SymInt, Tensor

from fgcompile.compiler.fullgrad.arrangement import (
    Arranged,
    Orders,
    arrange,
    arrange_around,
    bias_axis,
    excludes,
    fold,
    grid_of,
    in_cells,
)
from fgcompile.compiler.fullgrad.enlarging import divided, interpolated
from fgcompile.compiler.fullgrad.terms import TermValue
from fgcompile.compiler.ir.programs import Placement
from fgcompile.compiler.request import PsiName

EPSILON = 1e-6
"""The constant in ψ's denominator, as in the authors' code."""

GRAD_CAM_EPSILON = 1e-7
"""The constant in pytorch-grad-cam's."""


@dataclass(frozen=True)
class PlacedTerm:
    """A term and how its elements lie over the input, which is one of the ``inputs`` whose maps it enters."""

    term: TermValue
    placement: Placement
    inputs: int = 1

    @property
    def grid(self) -> tuple[int, ...]:
        """The number of cells along each spatial axis of the input."""
        return grid_of(self.term.gradient, self.placement)


class Psi(Protocol):
    """A preset: ψ, the way in which maps are enlarged, and what is done to the whole map at last."""

    def summed(self, terms: Sequence[PlacedTerm], orders: Orders) -> Tensor:
        """``Σ_t Σ_c ψ(t)_c``, ``(N, *grid)``, of terms of one grid."""

    def enlarged(self, values: Tensor, size: Sequence[int]) -> Tensor:
        """Such a sum at the input's size."""

    def finished(self, saliency: Tensor) -> Tensor:
        """The finished map, of the map ``(N, *spatial)``."""


@dataclass(frozen=True)
class FullGradPsi:
    """The published code's ψ: absolute value, then min-max per sample over channels and space jointly.

    With ``t = |δ ⊙ b|``, ``Σ_c (t_c − min)/(max − min + ε) = (Σ_c t_c − C min)/(max − min + ε)``. The sums of all terms
    are put side by side, so that the division is one product with the reciprocals. A factor ``k`` of ``b`` is never
    multiplied by: ε is divided by ``|k|`` instead.
    """

    def summed(self, terms: Sequence[PlacedTerm], orders: Orders) -> Tensor:
        grid = terms[0].grid
        reduced = sorted((_reduced(placed, orders) for placed in terms), key=lambda r: r.weight is None)
        side = _side_by_side(reduced)
        totals, by_term = side.totals, [r.weight for r in reduced]
        maxima = _extremes(side.maxima, by_term, torch.amax)
        minima = _extremes(side.minima, by_term, torch.amin)
        floors = minima * _column([r.layers for r in reduced], minima)
        weights = 1 / (maxima - minima + _column([EPSILON / abs(r.factor) for r in reduced], minima))
        total = torch.matmul(weights.transpose(1, 2), totals - floors)
        return fold(total, [total.shape[0], *grid])

    def enlarged(self, values: Tensor, size: Sequence[int]) -> Tensor:
        return interpolated(values, size, align_corners=True)

    def finished(self, saliency: Tensor) -> Tensor:
        return saliency


@dataclass(frozen=True)
class GradCamPsi:
    """pytorch-grad-cam's FullGrad: absolute value, min-max of each channel by itself, half-pixel enlargement.

    ``ψ(t)_c = (t_c − min t_c)/(max t_c − min t_c + ε)``, ε = 1e-7; the finished map is scaled to [0, 1] likewise.
    """

    def summed(self, terms: Sequence[PlacedTerm], orders: Orders) -> Tensor:
        total: Tensor | None = None
        for placed in terms:
            flat = _by_channel(placed, orders).abs()
            low, high = flat.amin(2, keepdim=True), flat.amax(2, keepdim=True)
            layer = ((flat - low) / (high - low + GRAD_CAM_EPSILON)).sum(1)
            total = layer if total is None else total + layer
        assert total is not None
        return fold(total, [total.shape[0], *terms[0].grid])

    def enlarged(self, values: Tensor, size: Sequence[int]) -> Tensor:
        return interpolated(values, size, align_corners=False)

    def finished(self, saliency: Tensor) -> Tensor:
        axes = list(range(1, saliency.ndim))
        raised = saliency - saliency.amin(axes, keepdim=True)
        return raised / (raised.amax(axes, keepdim=True) + GRAD_CAM_EPSILON)


@dataclass(frozen=True)
class SignedPsi:
    """No post-processing, ``ψ(t) = t``: what each place adds to the score, or takes from it.

    The maps add up to the terms that have a place: a coarse layer's are divided among the places that they cover, and
    a term that lies over several inputs among their maps.
    """

    def summed(self, terms: Sequence[PlacedTerm], orders: Orders) -> Tensor:
        total: Tensor | None = None
        for placed in terms:
            layer = _by_channel(placed, orders).sum(1)
            layer = layer if placed.inputs == 1 else layer / placed.inputs
            total = layer if total is None else total + layer
        assert total is not None
        return fold(total, [total.shape[0], *terms[0].grid])

    def enlarged(self, values: Tensor, size: Sequence[int]) -> Tensor:
        return divided(values, size)

    def finished(self, saliency: Tensor) -> Tensor:
        return saliency


PSI: Mapping[PsiName, Psi] = {"fullgrad": FullGradPsi(), "grad-cam": GradCamPsi(), "signed": SignedPsi()}
"""The presets by name."""


@dataclass(frozen=True)
class _Reduced:
    """What min-max over one term ``t = |δ ⊙ b|`` needs of it, but for the factor of ``b``.

    Attributes:
        total: The sum in each cell, ``(N, 1, cells)``.
        maxima: Over everything, ``(N, 1, 1)``; or of ``|δ|`` in each channel, ``(N, 1, C)``.
        minima: Likewise.
        weight: ``|b|`` in each channel, ``(C,)``, where the extremes are those of the channels.
        layers: The number of elements in each cell.
        factor: The factor of ``b``.
    """

    total: Tensor
    maxima: Tensor
    minima: Tensor
    weight: Tensor | None
    layers: int
    factor: float


def _reduced(placed: PlacedTerm, orders: Orders) -> _Reduced:
    term, placement = placed.term, placed.placement
    # Three cases. No weight: |b| is no factor of whole channels, so |δ ⊙ b| itself is reduced. A weight, channels
    # first: |δ| is reduced per channel, and |b| is multiplied by afterwards. A weight, channels last: see below.
    weight = _channel_weight(placed)
    magnitude = term.without_factor().abs() if weight is None else term.gradient.abs()
    arranged = arrange(magnitude, placement) if weight is not None else arrange_around(magnitude, placement)
    selected = _selected(arranged, placement, orders)
    flat, channels = selected.values, selected.channels
    count = math.prod(flat.shape[axis] for axis in channels)
    extremes = flat
    if weight is None:
        # One axis after the other, the last first: heads are summed when the keys, which are more, have been.
        total = flat
        for axis in sorted(channels, reverse=True):
            total = total.sum(axis, keepdim=len(channels) == 1)
        total = total if len(channels) == 1 else total.unsqueeze(1)
    elif channels == (2,):
        # Channels last. Extremes per channel would be over an axis with another behind it, at which ONNX Runtime is
        # slower than at the product and its extremes over both axes: docs/decisions/sums-and-extremes.md.
        total = torch.matmul(flat, weight.reshape(count, 1))
        extremes, weight = flat * weight, None
    else:
        # Σ_c |δ_c| |b_c| as a matrix product, and the extremes per channel first: |δ ⊙ b| is never formed.
        total = torch.bmm(weight.reshape(1, 1, count).expand(flat.shape[0], -1, -1), flat)
    if channels == (2,):
        total = total.transpose(1, 2)
    # Places in no cell were left out before the extremes. If there are none, only the sums need the grid's order, which
    # is a channel's work instead of all channels'.
    if selected is arranged:
        total = in_cells(total, 2, placement.order, orders)
    layers = _layers(placed, total.shape[2])
    # Several places of one cell add up like channels: each has its minimum subtracted, hence ``count * layers`` below.
    if layers > 1:
        total = total.reshape([-1, layers, math.prod(placement.grid)]).sum(1, keepdim=True)
    if weight is None:
        every = tuple(range(1, extremes.ndim))
        maxima, minima = (take(every, keepdim=True) for take in (extremes.amax, extremes.amin))
        if len(channels) > 1:
            maxima, minima = (extreme.flatten(2) for extreme in (maxima, minima))
    else:
        # The new axis keeps reductions and the product with |b| apart, which OpenVINO (2025.0 to 2026.4) else joins,
        # wrongly in a batch.
        maxima, minima = extremes.amax(2).unsqueeze(1), extremes.amin(2).unsqueeze(1)
    return _Reduced(total, maxima, minima, weight, count * layers, term.factor)


@dataclass(frozen=True)
class _SideBySide:
    """What was reduced of several terms, those with weights first.

    Attributes:
        totals: ``(N, T, cells)``.
        maxima: Of the channels of all terms with weights ``(N, 1, ΣC)``, and of the other terms ``(N, 1, T')``.
        minima: Likewise.
    """

    totals: Tensor
    maxima: tuple[Tensor, Tensor]
    minima: tuple[Tensor, Tensor]


def _side_by_side(reduced: Sequence[_Reduced]) -> _SideBySide:
    """The sums and extremes of all terms, put side by side at once and divided again.

    ONNX Runtime's order is depth first from the outputs: were the sums joined apart from the extremes, every ``|δ|``
    would wait for the other, and be read again when it is no longer in the cache: docs/decisions/sums-and-extremes.md.
    """
    weighted = [r for r in reduced if r.weight is not None]
    rest = [r for r in reduced if r.weight is None]
    parts = [[r.maxima for r in weighted], [r.minima for r in weighted], [r.maxima for r in rest]]
    parts += [[r.minima for r in rest], [r.total for r in reduced]]
    joined = torch.cat([part for group in parts for part in group], 2)
    channels, cells = sum(r.maxima.shape[2] for r in weighted), reduced[0].total.shape[2]
    sizes = [channels, channels, len(rest), len(rest), len(reduced) * cells]
    maxima, minima, rest_maxima, rest_minima, totals = joined.split(sizes, 2)  # type: ignore[no-untyped-call]
    return _SideBySide(
        totals=fold(totals, [totals.shape[0], len(reduced), cells]),
        maxima=(maxima, rest_maxima),
        minima=(minima, rest_minima),
    )


def _extremes(
    values: tuple[Tensor, Tensor], weights: Sequence[Tensor | None], extreme: Callable[..., Tensor]
) -> Tensor:
    """The extreme of each term ``(N, T, 1)``; those of channels are multiplied by ``|b|``, all at once.

    On its own each of these products costs a runtime more than it computes: ``docs/decisions/sums-and-extremes.md``.
    """
    by_channel, rest = values
    channels = [weight for weight in weights if weight is not None]
    if not channels:
        return rest.transpose(1, 2)
    parts = (by_channel * torch.cat(channels)).split([len(weight) for weight in channels], 2)  # type: ignore[no-untyped-call]
    extremes = [extreme(part, 2, keepdim=True) for part in parts]
    return torch.cat([*extremes, rest.transpose(1, 2)] if len(channels) < len(weights) else extremes, 1)


def _column(numbers: Sequence[float | SymInt], like: Tensor) -> Tensor:
    """Numbers, or sizes, as a constant ``(T, 1)``, or as one number where they are the same."""
    # By their text, since a size may be symbolic, of attention's weights say, whose keys add up like channels.
    if len({str(number) for number in numbers}) == 1:
        numbers = numbers[:1]
    columns = [_number(number, like) for number in numbers]
    return columns[0] if len(columns) == 1 else torch.cat(columns)


def _number(number: float | SymInt, like: Tensor) -> Tensor:
    if not isinstance(number, SymInt):
        return torch.full((1, 1), number, dtype=like.dtype, device=like.device)
    size: Any = number
    return torch.full((1, 1), 1, dtype=like.dtype, device=like.device) * size  # type: ignore[no-any-return]


def _by_channel(placed: PlacedTerm, orders: Orders) -> Tensor:
    """A term by channels ``(N, C, cells)``; a channel is everything that has one element in each cell."""
    arranged = arrange(placed.term.product(), placed.placement)
    flat = in_cells(arranged.values, arranged.places, placed.placement.order, orders)
    flat = flat if arranged.channels == (1,) else flat.transpose(1, 2)
    layers = _layers(placed, flat.shape[2])
    return fold(flat, [flat.shape[0], flat.shape[1] * layers, math.prod(placed.grid)])


def _layers(placed: PlacedTerm, places: int) -> int:
    """The number of places in each cell."""
    placement = placed.placement
    return 1 if placement.axes is not None or placement.cells is not None else places // math.prod(placement.grid)


def _channel_weight(placed: PlacedTerm) -> Tensor | None:
    """``|b|`` of a bias that is constant within a channel."""
    term = placed.term
    if term.bias is None or term.bias.ndim != 1:
        return None
    along = bias_axis(placed.placement, term.channel_axis, term.gradient.ndim)
    return term.bias.abs() if along and len(term.bias) > 1 else None


def _selected(arranged: Arranged, placement: Placement, orders: Orders) -> Arranged:
    """Leaves out the places that belong to no cell: they are not part of the map, so they do not scale it."""
    if not excludes(placement, arranged.values.shape[arranged.places]):
        return arranged
    return Arranged(in_cells(arranged.values, arranged.places, placement.order, orders), arranged.channels)
