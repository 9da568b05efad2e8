"""Weights in half precision, as most checkpoints of language models have them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.exactness.random_graphs.description import Choose
from benchmarks.exactness.random_graphs.kinds.drawn import Drawn, Piece
from benchmarks.exactness.random_graphs.kinds.trunk import CHANNELS, Grid, around, draw_grid


def _attention(x: Tensor, qkv: nn.Module) -> Tensor:
    q, k, v = qkv(x).chunk(3, -1)
    return x + F.scaled_dot_product_attention(q, k, v)


def _root_mean_square(x: Tensor, w: Tensor) -> Tensor:
    """As language models write it: squares in float32, the weight in the model's dtype."""
    high = x.float()
    return w * (high * torch.rsqrt(high.pow(2).mean(-1, keepdim=True) + 1e-3)).to(x.dtype)


def _softmax(x: Tensor) -> Tensor:
    """Softmax in float32, back in the model's dtype."""
    return x * F.softmax(x, -1, dtype=torch.float32).to(x.dtype)


def _rounded(x: Tensor, w: Tensor) -> Tensor:
    return x + w.to(x.dtype).softmax(0) * 0.5


SHARED: dict[str, Callable[[], Piece]] = {
    "softmax in float32": lambda: Piece(_softmax),
    "weight": lambda: Piece(_rounded, weights=[(1,)]),
    "float and back": lambda: Piece(lambda x: torch.sin(x.float()).type_as(x)),
    "factor of a number": lambda: Piece(lambda x: x * torch.tensor(0.7, dtype=x.dtype) + 0.1),
    "root mean square": lambda: Piece(_root_mean_square, weights=[(1,)]),
}
TOKENS: dict[str, Callable[[], Piece]] = {
    "linear": lambda: Piece(lambda x, f: f(x), [nn.Linear(CHANNELS, CHANNELS)]),
    "layer norm": lambda: Piece(lambda x, f: f(x), [nn.LayerNorm(CHANNELS)]),
    "attention": lambda: Piece(_attention, [nn.Linear(CHANNELS, 3 * CHANNELS)]),
    "gated": lambda: Piece(
        lambda x, a, b: x + F.silu(a(x)) * b(x), [nn.Linear(CHANNELS, CHANNELS), nn.Linear(CHANNELS, CHANNELS)]
    ),
}
IMAGES: dict[str, Callable[[], Piece]] = {
    "convolution": lambda: Piece(lambda x, f: f(x), [nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)]),
    "group norm": lambda: Piece(lambda x, f: f(x), [nn.GroupNorm(2, CHANNELS)]),
    "batch norm": lambda: Piece(lambda x, f: f(x), [nn.BatchNorm2d(CHANNELS)]),
    "pooling": lambda: Piece(lambda x: F.avg_pool2d(x, 3, 1, 1)),
}


def _piece(choose: Choose, grid: Grid) -> tuple[str, Piece]:
    parts = {**(IMAGES if grid.is_image else TOKENS), **SHARED}
    name = choose(list(parts))
    return name, parts[name]()


def draw(choose: Choose) -> Drawn:
    """Two to four layers; the example is in the dtype of the weights."""
    grid = draw_grid(choose)
    dtype = choose([torch.bfloat16, torch.float16])
    drawn = around(choose, grid, [_piece(choose, grid) for _ in range(choose([2, 3, 4]))])
    return replace(drawn, model=drawn.model.to(dtype), dtype=dtype, described=f"{dtype} {drawn.described}")
