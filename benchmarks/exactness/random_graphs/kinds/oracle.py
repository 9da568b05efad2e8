"""What eager autograd in float64 says of a network: nothing here is the compiler's.

A piece adds ``Σ (<δ_out, out> − <δ_in, in>)`` to the score, where ``δ_in = J̃ᵀ δ_out`` is its own backward's: that is
``<δ_out, b>`` with the explicit bias ``b = out − J̃ in``. Where all pieces but the last are pointwise, the same without
the sum over places is the signed map.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from benchmarks.exactness.random_graphs.kinds.drawn import Drawn, Piece


@dataclass(frozen=True)
class Expected:
    """In float64.

    Attributes:
        logits: ``(N, K)``.
        score: ``(N,)``.
        gradients: Of each floating-point input, in its shape.
        pieces: What each piece adds to the score, ``(N,)``.
        signed: The signed map ``(N, *places)``; None where pieces mix places.
    """

    logits: Tensor
    score: Tensor
    gradients: tuple[Tensor, ...]
    pieces: tuple[Tensor, ...]
    signed: Tensor | None


def expect(drawn: Drawn, inputs: Sequence[Tensor], target: Tensor) -> Expected:
    """The oracle's answer for inputs in float64, each sample's class in ``target``."""
    pieces: list[Piece] = list(copy.deepcopy(drawn.model).double().pieces)  # type: ignore[arg-type]
    leaves = [value.clone().requires_grad_() if value.is_floating_point() else value for value in inputs]
    values: list[Tensor] = []
    operands: Sequence[Tensor] = leaves
    for piece in pieces:
        values.append(piece(*operands))
        values[-1].retain_grad()
        operands = [values[-1]]
    score = values[-1].gather(1, target[:, None])[:, 0]
    floats = [value for value in leaves if value.is_floating_point()]
    score.sum().backward()  # not `autograd.grad`, which reentrant checkpoints refuse
    gradients, at_values = tuple(map(_gradient, floats)), tuple(map(_gradient, values))
    axes = drawn.batch_axes
    inner = [(value * gradient).detach() for value, gradient in zip(values, at_values, strict=True)]
    first = sum(
        (_each(x * g, axis, len(target)) for x, g, axis in zip(floats, gradients, _axes(leaves, axes), strict=True)),
        torch.zeros(len(target), dtype=torch.float64),
    )
    sums = [first.detach(), *(_each(product, _batch_axis(product, len(target)), len(target)) for product in inner)]
    return Expected(
        values[-1].detach(),
        score.detach(),
        gradients,
        tuple(after - before for before, after in pairwise(sums)),
        _signed(drawn, pieces, inner),
    )


def _gradient(value: Tensor) -> Tensor:
    """That of the score; zeros where it does not depend on the value."""
    return torch.zeros_like(value) if value.grad is None else value.grad


def _axes(leaves: Sequence[Tensor], axes: Sequence[int]) -> list[int]:
    """The batch's axis of each floating-point input."""
    return [axis for value, axis in zip(leaves, axes, strict=False) if value.is_floating_point()]


def _batch_axis(value: Tensor, samples: int) -> int:
    """Where a value has its samples: kinds have no other axis of that size in front."""
    return next(axis for axis, size in enumerate(value.shape) if size == samples)


def _each(product: Tensor, axis: int, samples: int) -> Tensor:
    """The sum for each sample."""
    return product.movedim(axis, 0).reshape(samples, -1).sum(1)


def _signed(drawn: Drawn, pieces: Sequence[Piece], inner: Sequence[Tensor]) -> Tensor | None:
    """The last value over places: what lies before it telescopes to ``Σ_c δ ⊙ value``."""
    if not all(piece.pointwise for piece in pieces[:-1]):
        return None
    return inner[-2].sum(drawn.channels)
