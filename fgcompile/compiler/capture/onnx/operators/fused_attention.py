"""Attention as ONNX Runtime's own domain has it: with its projections, its masks of numbers, its caches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from fgcompile.compiler.capture.onnx.operators.attention import attend, both, heads_of, joined, window_mask
from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.compiler.capture.onnx.operators.rotary import rotary_embedding_of_microsoft, turned
from fgcompile.compiler.ir.sizes import same_size
from fgcompile.errors import UnsupportedOpError


def attention(
    x: Tensor,
    weights: Tensor,
    bias: Tensor | None = None,
    mask_index: Tensor | None = None,
    past: Tensor | None = None,
    attention_bias: Tensor | None = None,
    past_sequence_length: Any = None,
    *,
    do_rotary: int = 0,
    mask_filter_value: float = -10000.0,
    num_heads: int,
    past_present_share_buffer: int = 0,
    qkv_hidden_sizes: Sequence[int] | None = None,
    rotary_embedding_dim: int = 0,
    scale: float | None = None,
    unidirectional: int = 0,
) -> tuple[Tensor, Tensor]:
    """Attention of ``x W + b`` parted into queries, keys and values; and the keys and values, ``(2, B, N, T, D)``."""
    if do_rotary or past_present_share_buffer:
        raise UnsupportedOpError("it turns its heads or shares a buffer with its past, which fgcompile does not read")
    projected = functional.linear(x, weights.T, bias)
    sizes = list(qkv_hidden_sizes or [projected.shape[-1] // 3] * 3)
    query, key, value = (heads_of(part, num_heads) for part in torch.split(projected, sizes, -1))
    if past is not None:
        key, value = torch.cat([past[0], key], 2), torch.cat([past[1], value], 2)
    mask = _mask(mask_index, query, key, mask_filter_value)
    if unidirectional:
        mask = both(mask, window_mask(query.shape[2], key.shape[2], key.shape[2] - query.shape[2]))
    y = attend(query, key, value, both(mask, attention_bias), scale or None)
    return joined(y), torch.stack([key, value])


def _mask(given: Tensor | None, query: Tensor, key: Tensor, hidden: float) -> Tensor | None:
    """What is added to scores ``(B, N, S, T)``.

    Args:
        given: Lengths ``(B,)``, ends and then beginnings ``(2 B,)``, or ones where to look: ``(B, T)``, ``(B, S, T)``,
            or ``(B, 1, M, M)`` for all positions so far.
        query: Heads ``(B, N, S, D)``.
        key: Heads ``(B, N, T, D)``.
        hidden: What is added where not to look.
    """
    if given is None:
        return None
    queries, keys = query.shape[2], key.shape[2]
    if given.ndim == 1:
        seen = _within(given, query.shape[0], torch.arange(keys))
    elif given.ndim == 4:
        seen = given[:, :, keys - queries : keys, :keys]
    else:
        seen = given.unsqueeze(1) if given.ndim == 3 else given.unsqueeze(1).unsqueeze(1)
    return (1 - seen.to(torch.float32)) * hidden


def _within(given: Tensor, batch: Any, places: Tensor) -> Tensor:
    if same_size(given.shape[0], batch):
        return places < given.reshape(-1, 1, 1, 1)
    if same_size(given.shape[0], 2 * batch):
        ends, beginnings = given.reshape(2, -1, 1, 1, 1).unbind()
        return (places < ends) & (places >= beginnings)
    raise UnsupportedOpError("its mask counts tokens of all samples together, which fgcompile does not read")


def multi_head_attention(
    query: Tensor,
    key: Tensor | None = None,
    value: Tensor | None = None,
    bias: Tensor | None = None,
    key_padding_mask: Tensor | None = None,
    attention_bias: Tensor | None = None,
    past_key: Tensor | None = None,
    past_value: Tensor | None = None,
    *,
    mask_filter_value: float = -10000.0,
    num_heads: int,
    scale: float | None = None,
    unidirectional: int = 0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Attention of queries and keys ``(B, S, N·D)``, or packed: ``(B, S, N, 3, D)``, or keys ``(B, S, N, 2, D)``."""
    q, k, v = _unpacked(query, key, value)
    if bias is not None:
        count = q.shape[-1]
        q = q + bias[:count]
        k = k + bias[count : 2 * count] if k.ndim == 3 else k
        v = v + bias[2 * count :] if v.ndim == 3 else v
    q, k, v = (heads_of(each, num_heads) for each in (q, k, v))
    if past_key is not None and past_value is not None:
        k, v = torch.cat([past_key, k], 2), torch.cat([past_value, v], 2)
    mask = _mask(key_padding_mask, q, k, mask_filter_value)
    if unidirectional:
        mask = both(mask, window_mask(q.shape[2], k.shape[2], k.shape[2] - q.shape[2]))
    return joined(attend(q, k, v, both(mask, attention_bias), scale or None)), k, v


def _unpacked(query: Tensor, key: Tensor | None, value: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    if query.ndim == 5:
        first, second, third = (query.select(3, index).flatten(2) for index in range(3))
        return first, second, third
    assert key is not None
    if key.ndim == 5:
        return query, key.select(3, 0).flatten(2), key.select(3, 1).flatten(2)
    assert value is not None
    return query, key, value


def group_query_attention(
    query: Tensor,
    key: Tensor | None = None,
    value: Tensor | None = None,
    past_key: Tensor | None = None,
    past_value: Tensor | None = None,
    seqlens_k: Any = None,
    total_sequence_length: Any = None,
    cos_cache: Tensor | None = None,
    sin_cache: Tensor | None = None,
    position_ids: Tensor | None = None,
    attention_bias: Tensor | None = None,
    *,
    do_rotary: int = 0,
    kv_num_heads: int,
    local_window_size: int = -1,
    num_heads: int,
    qk_output: int = 0,
    rotary_interleaved: int = 0,
    scale: float | None = None,
    smooth_softmax: int = 0,
    softcap: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Causal attention of a prompt, whose heads of queries share those of keys and values."""
    if smooth_softmax > 0 or qk_output:
        raise UnsupportedOpError("it has a smooth softmax or returns its scores, which fgcompile does not read")
    if past_key is not None and not (isinstance(past_key.shape[2], int) and past_key.shape[2] == 0):
        raise UnsupportedOpError("it goes on from a past: fgcompile reads the form for prompts, whose past is empty")
    q, k, v = _grouped(query, key, value, num_heads, kv_num_heads)
    length = q.shape[2]
    if do_rotary:
        assert cos_cache is not None
        assert sin_cache is not None
        cosines, sines = (
            cache[:length] if position_ids is None else cache[position_ids].unsqueeze(1)
            for cache in (cos_cache, sin_cache)
        )
        q, k = (turned(each, cosines, sines, rotary_interleaved) for each in (q, k))
    mask = both(window_mask(length, length, 0, (max(local_window_size, 0) - 1, 0)), attention_bias)
    return joined(attend(q, k, v, mask, scale or None, softcap)), k, v


def _grouped(
    query: Tensor, key: Tensor | None, value: Tensor | None, heads: int, shared: int
) -> tuple[Tensor, Tensor, Tensor]:
    if key is not None and value is not None:
        return heads_of(query, heads), heads_of(key, shared), heads_of(value, shared)
    size = query.shape[-1] // (heads + 2 * shared)
    parts = torch.split(query, [heads * size, shared * size, shared * size], -1)
    return heads_of(parts[0], heads), heads_of(parts[1], shared), heads_of(parts[2], shared)


FUSED_ATTENTION: dict[str, Operator] = {
    "Attention": Operator(attention, either=("past_sequence_length",)),
    "GroupQueryAttention": Operator(
        group_query_attention, either=("seqlens_k", "total_sequence_length"), note="of prompts, without a past"
    ),
    "MultiHeadAttention": Operator(multi_head_attention),
    "RotaryEmbedding": Operator(rotary_embedding_of_microsoft),
}
"""Rows of ONNX Runtime's domain, ``com.microsoft``."""
