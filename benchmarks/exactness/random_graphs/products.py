"""Joins and products: sums, gates, quotients, choices, matrix products of two activations, attention."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.exactness.random_graphs.description import Choose, Layer, Operator, Settings, Shape
from benchmarks.exactness.random_graphs.weighted import Weighted


def _broadcast(shapes: Sequence[Shape]) -> bool:
    """Whether the second operand, another value, takes the shape of the first."""
    first, second = shapes
    return len(first) == len(second) and all(b in (a, 1) for a, b in zip(first, second, strict=True))


JOINS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": torch.add,
    "add in place": lambda x, y: (x * 1.0).add_(y, alpha=0.5),
    "sub": torch.sub,
    "sub scaled": lambda x, y: torch.sub(x, y, alpha=2),
    "mul": torch.mul,
    "gate": lambda x, y: x * torch.sigmoid(y),
    "div": lambda x, y: x / (y.abs() + 0.5),
    "div by softplus": lambda x, y: x / F.softplus(y + 1),
    "maximum": lambda x, y: torch.maximum(x, y + 0.0123),
    "minimum": lambda x, y: torch.minimum(x, y + 0.0123),
    "where of two": lambda x, y: torch.where(x > 0.1, x, y * 0.5),
    "atan2": lambda x, y: torch.atan2(x, y.abs() + 0.5),
    "power of two": lambda x, y: (x.abs() + 0.5) ** torch.tanh(y),
    "lerp": lambda x, y: torch.lerp(x, y.expand_as(x), 0.3),
    "addcmul": lambda x, y: torch.addcmul(x, y, y, value=0.5),
}


def _same_but_one_axis(first: Shape, second: Shape) -> list[int]:
    """The axes along which two shapes can be joined."""
    if len(first) != len(second):
        return []
    different = [axis for axis, (a, b) in enumerate(zip(first, second, strict=True), 1) if a != b]
    if not different:
        return list(range(1, len(first) + 1))
    return different if len(different) == 1 else []


def _draw_cat(choose: Choose, shapes: Sequence[Shape]) -> Settings:
    return {"axis": choose(_same_but_one_axis(*shapes))}


def _draw_stack(choose: Choose, shapes: Sequence[Shape]) -> Settings:
    return {"axis": choose(range(1, len(shapes[0]) + 2))}


def _is_batched_product(shapes: Sequence[Shape]) -> bool:
    first, second = shapes
    return len(first) == len(second) >= 2 and first[:-2] == second[:-2] and first[-1] == second[-2]


def _shares_last_axis(shapes: Sequence[Shape]) -> bool:
    first, second = shapes
    return len(first) == len(second) == 2 and first[-1] == second[-1]


def _draw_features(choose: Choose, shapes: Sequence[Shape]) -> Settings:
    return {"out": choose([3, 1, 4, 6]), "bias": choose([True, False])}


def _build_linear(shapes: Sequence[Shape], settings: Settings) -> Layer:
    return nn.Linear(shapes[0][-1], settings["out"], settings["bias"])


def _build_linear_in_front(shapes: Sequence[Shape], settings: Settings) -> Layer:
    """``W x``, as MLP-Mixer mixes tokens."""
    return Weighted(lambda x, w: w @ x, (settings["out"], shapes[0][-2]))


def _build_bilinear(shapes: Sequence[Shape], settings: Settings) -> Layer:
    return Weighted(
        lambda x, w: torch.einsum("n...i,oi,n...i->n...o", x, w, torch.tanh(x)), (settings["out"], shapes[0][-1])
    )


class Gate(nn.Module):
    """``x · σ(W x)`` along the last axis."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(features, features)

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.linear(x))


class GatedUnit(nn.Module):
    """``(W x) · act(V x)``: GLU where the activation is the sigmoid, SwiGLU where it is SiLU."""

    def __init__(self, features: int, swish: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(features, 2 * features)
        self.swish = swish

    def forward(self, x: Tensor) -> Tensor:
        if not self.swish:
            return F.glu(self.linear(x), -1)
        value, gate = self.linear(x).chunk(2, -1)
        return value * F.silu(gate)


class SqueezeExcitation(nn.Module):
    """``x · σ(V relu(W mean(x)))`` per channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(channels, 2), nn.Linear(2, channels)

    def forward(self, x: Tensor) -> Tensor:
        scale = torch.sigmoid(self.up(F.relu(self.down(x.flatten(2).mean(2)))))
        return x * scale.reshape(*scale.shape, *[1] * (x.ndim - 2))


class Attention(nn.Module):
    """``softmax(q kᵀ/√d) v`` over the second to last axis, written out or by PyTorch's own function."""

    def __init__(self, features: int, written_out: bool, causal: bool) -> None:
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(features, features) for _ in range(3))
        self.written_out = written_out
        self.causal = causal

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.q(x), self.k(x), self.v(x)
        if not self.written_out:
            return F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        if self.causal:
            tokens = scores.shape[-1]
            scores = scores.masked_fill(torch.ones(tokens, tokens, dtype=torch.bool).triu(1), -torch.inf)
        return torch.softmax(scores, -1) @ v


class MultiHeadAttention(nn.Module):
    """PyTorch's own module on tokens ``(N, T, D)``."""

    def __init__(self, features: int, heads: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(features, heads, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.attention(x, x, x, need_weights=False)[0]
        return output


def _draw_attention(choose: Choose, shapes: Sequence[Shape]) -> Settings:
    return {"written_out": choose([True, False]), "causal": choose([False, True])}


def _has_tokens(shapes: Sequence[Shape]) -> bool:
    return len(shapes[0]) in (2, 3)


def _is_even_tokens(shapes: Sequence[Shape]) -> bool:
    return len(shapes[0]) == 2 and shapes[0][-1] % 2 == 0


JOINED = {
    **{
        name: Operator(lambda shapes, settings, f=function: f, _broadcast, arity=2)  # type: ignore[misc]
        for name, function in JOINS.items()
    },
    "cat": Operator(
        lambda shapes, settings: lambda x, y: torch.cat([x, y], settings["axis"]),
        lambda shapes: bool(_same_but_one_axis(*shapes)),
        _draw_cat,
        arity=2,
    ),
    "stack": Operator(
        lambda shapes, settings: lambda x, y: torch.stack([x, y], settings["axis"]),
        lambda shapes: shapes[0] == shapes[1] and len(shapes[0]) < 4,
        _draw_stack,
        arity=2,
    ),
    "matmul of two": Operator(lambda shapes, settings: torch.matmul, _is_batched_product, arity=2),
    "einsum of two": Operator(
        lambda shapes, settings: lambda x, y: torch.einsum("nij,nkj->nik", x, y), _shares_last_axis, arity=2
    ),
}
"""Operators of two values."""

OPERATORS = {
    "gram": Operator(lambda shapes, settings: lambda x: x @ x.transpose(-1, -2), lambda s: len(s[0]) in (2, 3)),
    "linear": Operator(_build_linear, draw=_draw_features),
    "linear in front": Operator(_build_linear_in_front, lambda s: len(s[0]) >= 2, _draw_features),
    "bilinear": Operator(_build_bilinear, draw=_draw_features),
    "own gate": Operator(lambda shapes, settings: Gate(shapes[0][-1])),
    "gated unit": Operator(
        lambda shapes, settings: GatedUnit(shapes[0][-1], settings["swish"]),
        draw=lambda choose, shapes: {"swish": choose([False, True])},
    ),
    "squeeze and excitation": Operator(
        lambda shapes, settings: SqueezeExcitation(shapes[0][0]), lambda s: len(s[0]) >= 2
    ),
    "attention": Operator(
        lambda shapes, settings: Attention(shapes[0][-1], settings["written_out"], settings["causal"]),
        _has_tokens,
        _draw_attention,
    ),
    "multi-head attention": Operator(lambda shapes, settings: MultiHeadAttention(shapes[0][-1], 2), _is_even_tokens),
}
