"""Attention: by hand, as one operator and as PyTorch's own layers; windows, relative positions, rotary embeddings."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.support.operator_cases.case import OperatorCase, Shape, layer_case

QKV: tuple[Shape, ...] = ((2, 5, 4), (2, 6, 4), (2, 6, 4))
"""Query, key and value of two heads, 5 queries, 6 keys."""


def _attention(
    name: str, function: Callable[..., Tensor], inputs: tuple[Shape, ...] = QKV, *constants: Shape
) -> OperatorCase:
    return OperatorCase(name, function, inputs, constants, "attention")


def _by_hand(x: Tensor, weight: Tensor) -> Tensor:
    """Self-attention as Vision Transformers write it, from ``(N, T, D)``."""
    batch, tokens, width = x.shape
    qkv = F.linear(x, weight).reshape(batch, tokens, 3, 2, width // 2).permute(2, 0, 3, 1, 4)
    q, k, v = qkv.unbind(0)
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
    return (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, tokens, width)


def _chunked(x: Tensor, weight: Tensor) -> Tensor:
    """Self-attention with ``chunk`` and a view per head."""
    q, k, v = (part.unflatten(-1, (2, -1)).transpose(1, 2) for part in F.linear(x, weight).chunk(3, -1))
    return F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)


def _cosine(q: Tensor, k: Tensor, v: Tensor, scale: Tensor) -> Tensor:
    """Swin v2: cosine similarities with a clamped logit scale for each head."""
    scores = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1)
    return (scores * scale.clamp(max=4.6).exp()).softmax(-1) @ v


def _log_spaced_bias(q: Tensor, k: Tensor, v: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Swin v2: a small network of log-spaced coordinates gives the relative position bias."""
    distance = torch.arange(5.0, dtype=q.dtype).reshape(-1, 1) - torch.arange(6.0, dtype=q.dtype).reshape(1, -1)
    coordinates = (torch.sign(distance) * torch.log2(distance.abs() + 1.0)).unsqueeze(-1)
    bias = 16 * torch.sigmoid(F.linear(F.relu(F.linear(coordinates, first)), second)).permute(2, 0, 1)
    return (q @ k.transpose(-2, -1) + bias.unsqueeze(0)).softmax(-1) @ v


def _relative_bias(q: Tensor, k: Tensor, v: Tensor, table: Tensor) -> Tensor:
    """Swin: entries of a table, picked by constant indices."""
    index = (torch.arange(5).reshape(-1, 1) - torch.arange(6).reshape(1, -1) + 5).reshape(-1)
    bias = table[index].reshape(5, 6, -1).permute(2, 0, 1).contiguous()
    return (q @ k.transpose(-2, -1) + bias.unsqueeze(0)).softmax(-1) @ v


def _shifted_windows(x: Tensor) -> Tensor:
    """Rolls ``(N, H, W, C)``, splits it into 2×2 windows, mixes each, and puts it back."""
    batch, height, width, channels = x.shape
    x = torch.roll(x, (-1, -1), (1, 2))
    windows = x.view(batch, height // 2, 2, width // 2, 2, channels).permute(0, 1, 3, 2, 4, 5).reshape(-1, 4, channels)
    mask = torch.zeros(height // 2 * (width // 2), 4, 4, dtype=x.dtype)
    mask[-1, 0, 1:] = -100.0
    scores = (windows @ windows.transpose(1, 2)).view(batch, -1, 4, 4) + mask
    windows = scores.view(-1, 4, 4).softmax(-1) @ windows
    x = windows.view(batch, height // 2, width // 2, 2, 2, channels).permute(0, 1, 3, 2, 4, 5)
    return torch.roll(x.reshape(batch, height, width, channels), (1, 1), (1, 2))


def _swin(x: Tensor, weight: Tensor, table: Tensor) -> Tensor:
    """Swin's attention of ``(N, H, W, C)`` in shifted 2×2 windows: two heads, relative position bias, mask."""
    batch, height, width, channels = x.shape
    x = torch.roll(x, (-1, -1), (1, 2))
    windows = x.view(batch, height // 2, 2, width // 2, 2, channels).permute(0, 1, 3, 2, 4, 5).reshape(-1, 4, channels)
    q, k, v = F.linear(windows, weight).reshape(-1, 4, 3, 2, channels // 2).permute(2, 0, 3, 1, 4)
    places = torch.stack(torch.meshgrid(torch.arange(2), torch.arange(2), indexing="ij")).flatten(1)
    row, column = places.unsqueeze(2) - places.unsqueeze(1) + 1
    bias = table[(row * 3 + column).flatten()].view(4, 4, 2).permute(2, 0, 1)
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1) + bias.unsqueeze(0)
    mask = torch.zeros(height * width // 4, 4, 4, dtype=x.dtype)
    mask[-1, 0, 1:] = -100.0
    scores = scores.view(batch, -1, 2, 4, 4) + mask.unsqueeze(1).unsqueeze(0)
    mixed = (scores.view(-1, 2, 4, 4).softmax(-1) @ v).transpose(1, 2).reshape(-1, 2, 2, channels)
    x = mixed.view(batch, height // 2, width // 2, 2, 2, channels).permute(0, 1, 3, 2, 4, 5)
    return torch.roll(x.reshape(batch, height, width, channels), (1, 1), (1, 2))


def _bucketed_bias(q: Tensor, k: Tensor, v: Tensor, table: Tensor) -> Tensor:
    """T5: distances fall into buckets, far ones logarithmically, and each bucket has a bias for each head."""
    distance = torch.arange(6).unsqueeze(0) - torch.arange(5).unsqueeze(1)
    near = distance.abs()
    far = 2 + (torch.log(near.clamp(min=1) / 2) / 1.5 * 2).long()
    bucket = (distance > 0).long() * 4 + torch.where(near < 2, near, far.clamp(max=3))
    bias = F.embedding(bucket, table).permute(2, 0, 1).unsqueeze(0)
    return (q @ k.mT + bias).softmax(-1) @ v


def _rotated(x: Tensor) -> Tensor:
    """Rotary position embedding of ``(N, T, D)``."""
    angles = torch.arange(x.shape[1], dtype=x.dtype).reshape(-1, 1) * torch.tensor([1.0, 0.1], dtype=x.dtype)
    cosine, sine = angles.cos().repeat(1, 2), angles.sin().repeat(1, 2)
    first, second = x.chunk(2, -1)
    return x * cosine + torch.cat([-second, first], -1) * sine


def _interleaved_rotated(x: Tensor) -> Tensor:
    """Rotary position embedding of neighbouring pairs, by strided slices."""
    angles = torch.arange(x.shape[1], dtype=x.dtype).reshape(-1, 1) * torch.tensor([1.0, 0.1], dtype=x.dtype)
    even, odd = x[..., ::2], x[..., 1::2]
    turned = torch.stack([even * angles.cos() - odd * angles.sin(), even * angles.sin() + odd * angles.cos()], -1)
    return turned.flatten(-2)


class _Self(nn.Module):
    """Self-attention by ``nn.MultiheadAttention``, from ``(N, T, D)``."""

    def __init__(self, attention: nn.MultiheadAttention, transposed: bool = False) -> None:
        super().__init__()
        self.attention = attention
        self.transposed = transposed

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(0, 1) if self.transposed else x
        output, _ = self.attention(x, x, x, need_weights=False)
        return output.transpose(0, 1) if self.transposed else output


ATTENTIONS = (
    _attention("attention by hand", _by_hand, ((5, 6),), (18, 6)),
    _attention("attention, chunked", _chunked, ((5, 6),), (18, 6)),
    _attention("attention as one operator", F.scaled_dot_product_attention),
    _attention("attention of three axes", F.scaled_dot_product_attention, ((5, 4), (6, 4), (6, 4))),
    _attention("attention of one input", lambda x: F.scaled_dot_product_attention(x, x * 0.5, x + 1.0), ((2, 4, 6),)),
    _attention("attention, scale", lambda q, k, v: F.scaled_dot_product_attention(q, k, v, scale=0.3)),
    _attention("attention, causal", lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True)),
    _attention(
        "attention, float mask", lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, attn_mask=m), QKV, (5, 6)
    ),
    _attention(
        "attention, bool mask",
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, torch.ones(5, 6, dtype=torch.bool).tril(1)),
    ),
    _attention(
        "attention, activation as mask",
        lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, attn_mask=m),
        (*QKV, (2, 5, 6)),
    ),
    _attention(
        "attention, grouped queries",
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, enable_gqa=True),
        ((4, 5, 4), (2, 6, 4), (2, 6, 4)),
    ),
    _attention(
        "attention, masked by hand",
        lambda q, k, v: (q @ k.mT).masked_fill(torch.ones(5, 6).triu(2) > 0, float("-inf")).softmax(-1) @ v,
    ),
    _attention("cosine attention", _cosine, QKV, (2, 1, 1)),
    _attention("relative position bias", _relative_bias, QKV, (11, 2)),
    _attention("log-spaced position bias", _log_spaced_bias, QKV, (3, 1), (2, 3)),
    _attention("Swin attention", _swin, ((4, 4, 4),), (12, 4), (9, 2)),
    _attention("T5 position bias", _bucketed_bias, QKV, (8, 2)),
    _attention("shifted windows", _shifted_windows, ((4, 6, 3),)),
    _attention("rotary embedding", _rotated, ((5, 4),)),
    _attention("rotary embedding, interleaved", _interleaved_rotated, ((5, 4),)),
    layer_case("MultiheadAttention", _Self(nn.MultiheadAttention(6, 2, batch_first=True)), (5, 6)),
    layer_case("MultiheadAttention, tokens first", _Self(nn.MultiheadAttention(6, 2), transposed=True), (5, 6)),
    layer_case(
        "MultiheadAttention, key and value", nn.MultiheadAttention(6, 2, batch_first=True), (5, 6), (4, 6), (4, 6)
    ),
    layer_case(
        "TransformerEncoderLayer", nn.TransformerEncoderLayer(6, 2, 8, activation="gelu", batch_first=True), (5, 6)
    ),
    layer_case(
        "TransformerEncoderLayer, norm first",
        nn.TransformerEncoderLayer(6, 2, 8, norm_first=True, batch_first=True, bias=False),
        (5, 6),
    ),
    layer_case("TransformerDecoderLayer", nn.TransformerDecoderLayer(6, 2, 8, batch_first=True), (5, 6), (4, 6)),
)
