"""Noisy copies of a batch, and the average over them of every term of a full-gradient.

The copies of a sample follow one another along the batch, the sample itself in front: its output is the artifact's, and
its predicted class the one explained; it does not enter the average.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from fgcompile.compiler.fullgrad.arrangement import BATCH_FIRST
from fgcompile.compiler.fullgrad.terms import FullGradient, SiteValue, TermValue
from fgcompile.compiler.ir.programs import Batch
from fgcompile.compiler.ir.torch_internals import pytree


def noisy(inputs: Mapping[str, Tensor], noise: Mapping[str, Tensor], spread: float) -> list[Tensor]:
    """Each input ``(N, …)`` with its copies behind it, ``(N (1 + samples), …)``.

    Args:
        inputs: The inputs by name.
        noise: ``ε`` of those that get noise, ``(samples, …)`` by name; the others are repeated.
        spread: ``σ`` relative to the range of each sample.
    """
    samples = len(next(iter(noise.values())))
    copies = []
    for name, x in inputs.items():
        repeated = x.unsqueeze(1).expand(-1, samples, *[-1] * (x.ndim - 1))
        if name in noise:
            axes = tuple(range(1, x.ndim))
            sigma = (x.amax(axes, keepdim=True) - x.amin(axes, keepdim=True)) * spread
            repeated = repeated + sigma.unsqueeze(1) * noise[name]
        copies.append(torch.cat([x.unsqueeze(1), repeated], 1).reshape(-1, *x.shape[1:]))
    return copies


def averaged(result: FullGradient, copies: int, axes: Sequence[int]) -> FullGradient:
    """The full-gradient by samples, from that of all copies: every term is a mean, and so is the score.

    Args:
        result: That of all copies.
        copies: How many rows a sample has.
        axes: The batch's axis of each tensor of the output, in their order.
    """
    sites = tuple(
        SiteValue(value.site, tuple(_average(term, value.site.batch, copies) for term in value.terms))
        for value in result.sites
    )
    outputs, structure = pytree.tree_flatten(result.output)
    own = [
        _own(value, axis, copies) if isinstance(value, Tensor) else value
        for value, axis in zip(outputs, axes, strict=True)
    ]
    return replace(
        result,
        output=pytree.tree_unflatten(own, structure),
        score=_mean(result.score, BATCH_FIRST, copies),
        input_gradients={
            name: _mean(gradient, BATCH_FIRST, copies) for name, gradient in result.input_gradients.items()
        },
        input_terms=tuple(_average(term, BATCH_FIRST, copies) for term in result.input_terms),
        sites=sites,
    )


def _own(value: Tensor, axis: int, copies: int) -> Tensor:
    """What the samples themselves have of an output of all copies."""
    before, after = value.shape[:axis], value.shape[axis + 1 :]
    split: Tensor = value.reshape(*before, -1, copies, *after)
    first: Any = (*[slice(None)] * (axis + 1), 0)
    return split[first]


def _average(term: TermValue, batch: Batch, copies: int) -> TermValue:
    """``mean_k δ_k ⊙ b``; a bias that depends on the input is multiplied first."""
    if term.bias is None or term.bias.ndim <= 1:
        return replace(term, gradient=_mean(term.gradient, batch, copies))
    return TermValue(term.name, _mean(term.without_factor(), batch, copies), None, factor=term.factor)


def _mean(value: Tensor, batch: Batch, copies: int) -> Tensor:
    """The mean over the copies along the batch's axis, which has ``N · copies`` rows of ``factor`` entries."""
    assert isinstance(batch.factor, int)  # noisy copies have a fixed size
    before, after = list(value.shape[: batch.axis]), list(value.shape[batch.axis + 1 :])
    split = [-1, copies, batch.factor] if batch.major else [batch.factor, -1, copies]
    axis = batch.axis + split.index(copies, 1)
    mean = value.reshape([*before, *split, *after]).narrow(axis, 1, copies - 1).mean(axis)
    return mean.reshape([*before, -1, *after])
