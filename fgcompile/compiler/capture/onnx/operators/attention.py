"""Attention: ``softmax(cap(s Q Kᵀ) + M) V`` of heads ``(B, N, S, D)``, and ONNX's own operator of it."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.errors import UnsupportedOpError

LOWEST = torch.finfo(torch.float32).min / 2
"""Stands for −∞ in sums: ``exp`` of it is zero too, but its product with zero is zero and not NaN."""


def attend(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float | None, softcap: float = 0.0
) -> Tensor:
    """Attention of heads. A mask says where it looks, or is added; a cap is ``c tanh(x / c)``.

    ``N / H`` neighbouring heads of the query share one of H heads of keys and values.
    """
    key, value = _repeated(key, query.shape[1]), _repeated(value, query.shape[1])
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    if not softcap:
        return functional.scaled_dot_product_attention(query, key, value, mask, scale=scale)
    return _weights(capped(scores(query, key, scale), softcap), mask) @ value


def scores(query: Tensor, key: Tensor, scale: float) -> Tensor:
    """``s Q Kᵀ``."""
    return (query * scale) @ key.transpose(-2, -1)


def capped(x: Tensor, softcap: float) -> Tensor:
    """Held between ``±softcap``, smoothly; as it is where that is 0."""
    return softcap * torch.tanh(x / softcap) if softcap else x


def _weights(x: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None:
        return x.softmax(-1)
    if mask.dtype != torch.bool:
        return (x + mask.clamp(min=LOWEST)).softmax(-1)
    # A row that looks nowhere is zero.
    return torch.where(mask.any(-1, keepdim=True), torch.where(mask, x, LOWEST).softmax(-1), 0.0)


def _repeated(heads: Tensor, count: int) -> Tensor:
    times = count // heads.shape[1]
    return heads.repeat_interleave(times, 1) if times > 1 else heads


def heads_of(x: Tensor, count: int | None) -> Tensor:
    """``(B, S, N·D)`` as ``(B, N, S, D)``; what has four axes is that."""
    if x.ndim == 4:
        return x
    assert count
    return x.reshape(x.shape[0], x.shape[1], count, x.shape[2] // count).transpose(1, 2)


def joined(heads: Tensor) -> Tensor:
    """``(B, N, S, D)`` as ``(B, S, N·D)``."""
    return heads.transpose(1, 2).flatten(2)


def window_mask(queries: Any, keys: Any, before: Any, window: tuple[int, int] = (-1, 0)) -> Tensor:
    """Which keys each query sees: at most so many before its place and so many behind it, all of them where it is −1.

    ``before`` is how many keys there are in front of the first query's, a number or one a sample: ``(S, T)`` or
    ``(B, 1, S, T)``.
    """
    first = before.reshape(-1, 1, 1, 1) if isinstance(before, Tensor) else before
    away = torch.arange(keys) - (torch.arange(queries).unsqueeze(-1) + first)
    left, right = window
    if left < 0:
        return away <= right
    return away >= -left if right < 0 else (away <= right) & (away >= -left)


def both(mask: Tensor | None, other: Tensor | None) -> Tensor | None:
    """What two masks say together: where both look, or what both add."""
    if mask is None or other is None:
        return other if mask is None else mask
    if mask.dtype == other.dtype == torch.bool:
        return mask & other
    if mask.dtype == torch.bool:
        return torch.where(mask, other, LOWEST)
    return torch.where(other, mask, LOWEST) if other.dtype == torch.bool else mask + other


def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    attn_mask: Tensor | None = None,
    past_key: Tensor | None = None,
    past_value: Tensor | None = None,
    nonpad_kv_seqlen: Tensor | None = None,
    *,
    is_causal: int = 0,
    kv_num_heads: int | None = None,
    left_window_size: int = -1,
    q_num_heads: int | None = None,
    qk_matmul_output_mode: int = 0,
    right_window_size: int = -1,
    scale: float | None = None,
    softcap: float = 0.0,
    softmax_precision: int | None = None,
    outputs: int = 1,
) -> tuple[Tensor, ...]:
    """Y, the keys and values with the past ones before them, and what ``qk_matmul_output_mode`` asks for."""
    query, key, value = heads_of(q, q_num_heads), heads_of(k, kv_num_heads), heads_of(v, kv_num_heads)
    before: Any = 0
    if past_key is not None and past_value is not None:
        before = past_key.shape[2]
        key, value = torch.cat([past_key, key], 2), torch.cat([past_value, value], 2)
    elif nonpad_kv_seqlen is not None:
        before = nonpad_kv_seqlen - query.shape[2]
    keys = key.shape[2]
    mask = None if attn_mask is None else _padded(attn_mask, keys)
    right_window_size = 0 if is_causal else right_window_size
    if left_window_size >= 0 or right_window_size >= 0:
        mask = both(mask, window_mask(query.shape[2], keys, before, (left_window_size, right_window_size)))
    if nonpad_kv_seqlen is not None:
        mask = both(mask, torch.arange(keys) < nonpad_kv_seqlen.reshape(-1, 1, 1, 1))
    y = attend(query, key, value, mask, scale, softcap)
    found = (y if q.ndim == 4 else joined(y), key, value)
    if outputs < 4:
        return found
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    inner = scores(query, _repeated(key, query.shape[1]), scale)
    return *found, _asked(inner, mask, softcap, qk_matmul_output_mode)


def _asked(x: Tensor, mask: Tensor | None, softcap: float, mode: int) -> Tensor:
    """Scores, capped from mode 1 on, masked from 2 on, and as weights in 3."""
    x = capped(x, softcap) if mode else x
    if mode == 3:
        return _weights(x, mask)
    if mode < 2 or mask is None:
        return x
    if mask.dtype == torch.bool:
        return torch.where(mask, x, -math.inf)
    return torch.where(mask <= LOWEST, -math.inf, x + mask)


def _padded(mask: Tensor, keys: Any) -> Tensor:
    """A mask that is shorter than the keys hides the last ones."""
    lacks = keys - mask.shape[-1]
    if not isinstance(lacks, int):
        raise UnsupportedOpError("its mask and keys have sizes of their own, one of them free")
    if lacks <= 0:
        return mask
    return functional.pad(mask, (0, lacks), value=False if mask.dtype == torch.bool else LOWEST)


ATTENTION: dict[str, Operator] = {"Attention": Operator(attention)}
