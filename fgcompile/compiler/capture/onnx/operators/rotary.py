"""Rotary embeddings: pairs of a head's numbers are turned by angles that grow with the position."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from fgcompile.compiler.capture.onnx.operators.attention import heads_of, joined
from fgcompile.compiler.capture.onnx.operators.operator import Operator


def turned(heads: Tensor, cosines: Tensor, sines: Tensor, interleaved: int) -> Tensor:
    """``(a, b) → (a cos − b sin, a sin + b cos)`` of the first numbers of heads ``(B, N, S, D)``; the others stay.

    Args:
        heads: ``(B, N, S, D)``.
        cosines: ``(B, 1, S, R / 2)`` or ``(S, R / 2)``.
        sines: Of the same shape.
        interleaved: Whether pairs are neighbours, not ``R / 2`` apart.
    """
    size = 2 * cosines.shape[-1]
    part, rest = heads[..., :size], heads[..., size:]
    first, second = (part[..., 0::2], part[..., 1::2]) if interleaved else part.chunk(2, -1)
    new = first * cosines - second * sines, first * sines + second * cosines
    whole = torch.stack(new, -1).flatten(-2) if interleaved else torch.cat(new, -1)
    return torch.cat([whole, rest], -1) if heads.shape[-1] > size else whole


def rotary_embedding(
    x: Tensor,
    cos_cache: Tensor,
    sin_cache: Tensor,
    position_ids: Tensor | None = None,
    *,
    interleaved: int = 0,
    num_heads: int = 0,
    rotary_embedding_dim: int = 0,
) -> Tensor:
    """Of heads ``(B, N, S, D)`` or ``(B, S, N·D)``; the caches are ``(B, S, R / 2)``, or rows for the positions."""
    cosines, sines = (cache if position_ids is None else cache[position_ids] for cache in (cos_cache, sin_cache))
    y = turned(heads_of(x, num_heads), cosines.unsqueeze(1), sines.unsqueeze(1), interleaved)
    return y if x.ndim == 4 else joined(y)


def rotary_embedding_of_microsoft(
    x: Tensor,
    position_ids: Any,
    cos_cache: Tensor,
    sin_cache: Tensor,
    *,
    interleaved: int = 0,
    is_packed_batching: int = 0,
    num_heads: int = 0,
    rotary_embedding_dim: int = 0,
    scale: float = 1.0,
) -> Tensor:
    """The same; a single position is the first of them all. ``scale`` multiplies nothing on a CPU."""
    heads = heads_of(x, num_heads or (x.shape[-1] // (2 * cos_cache.shape[-1])))
    if position_ids.ndim == 1:
        position_ids = (position_ids + torch.arange(heads.shape[2])).unsqueeze(0)
    y = turned(heads, cos_cache[position_ids].unsqueeze(1), sin_cache[position_ids].unsqueeze(1), interleaved)
    return y if x.ndim == 4 else joined(y)


ROTARY: dict[str, Operator] = {"RotaryEmbedding": Operator(rotary_embedding)}
