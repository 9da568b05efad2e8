"""Parameters expanded to the batch: learned queries, tokens, tables, priors."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.exactness.random_graphs.description import Choose
from benchmarks.exactness.random_graphs.kinds.drawn import Drawn, Piece
from benchmarks.exactness.random_graphs.kinds.trunk import CHANNELS, Grid, around, draw_grid

WITHOUT_PLACE = "stack of selects"
"""Made by way of one number for each sample, a weight loses its places, and so does what it is joined to."""

EXPANSIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "expand": lambda w, x: w.expand(x.shape[0], *w.shape),
    "expand of one": lambda w, x: w[None].expand(x.shape[0], *[-1] * w.ndim),
    "repeat": lambda w, x: w[None].repeat(x.shape[0], *[1] * w.ndim),
    "broadcast_to": lambda w, x: torch.broadcast_to(w, (x.shape[0], *w.shape)),
    WITHOUT_PLACE: lambda w, x: w.unsqueeze(0) + torch.zeros_like(x.flatten(1)[:, :1]).view(-1, *[1] * w.ndim),
    "repeat_interleave": lambda w, x: w.unsqueeze(0).repeat_interleave(x.shape[0], 0),
    "new_ones": lambda w, x: x.new_ones(x.shape[0], *[1] * w.ndim) * w,
}
"""A weight as one for each sample."""


def _query(x: Tensor, w: Tensor, q: nn.Module, k: nn.Module) -> Tensor:
    """As many queries as tokens, so that the grid stays."""
    return (q(w) @ k(x).mT * 0.5).softmax(-1) @ x + w


TOKENS: dict[str, Callable[..., Tensor]] = {
    "learned query": _query,
    "query of dot products": lambda x, w, q, k: F.scaled_dot_product_attention(q(w), k(x), x),
    "two expanded": lambda x, w, q, k: x + q(w) @ k(w).mT @ w,
    "bmm": lambda x, w, q, k: torch.bmm(w, torch.bmm(q(x).mT, k(x)).tanh()),
    "einsum": lambda x, w, q, k: torch.einsum("nlc,nmc->nlm", q(x), w) @ k(w),
    "token in front": lambda x, w, q, k: q(torch.cat([k(w)[:, :1], x], 1))[:, : x.shape[1]],
    "projected table": lambda x, w, q, k: x + q(w),
    "gate": lambda x, w, q, k: x * torch.sigmoid(k(w)),
    "layer norm": lambda x, w, q, k: q(x) + F.layer_norm(w, w.shape[-1:]) * k(x),
    "softmax": lambda x, w, q, k: x + (q(w) @ k(w).mT).softmax(-1) @ x,
    "baddbmm": lambda x, w, q, k: torch.baddbmm(x, q(w) @ k(w).mT, w, beta=0.5),
}
IMAGES: dict[str, Callable[..., Tensor]] = {
    "added": lambda x, w, q, k: x + w,
    "convolved": lambda x, w, q, k: x + q(w),
    "gate": lambda x, w, q, k: x * torch.sigmoid(k(w)),
    "joined": lambda x, w, q, k: q(x) + torch.cat([w, x], 1)[:, 1:-1].narrow(1, 0, CHANNELS) * 0.5,
    "product of pictures": lambda x, w, q, k: w @ w.mT @ q(x) * 0.2,
    "enlarged": lambda x, w, q, k: x + F.interpolate(q(w[..., :2, :2]), x.shape[2:], mode="bilinear"),
    "pooled": lambda x, w, q, k: x * F.adaptive_avg_pool2d(k(w), 1),
    "group norm": lambda x, w, q, k: q(x) + F.group_norm(w, 2),
}
POINTWISE = {"projected table", "gate", "layer norm", "added", "joined"}


def _piece(choose: Choose, grid: Grid) -> tuple[str, Piece]:
    uses = IMAGES if grid.is_image else TOKENS
    way, use = choose(list(EXPANSIONS)), choose(list(uses))
    expand, function = EXPANSIONS[way], uses[use]
    layers = [nn.Conv2d(CHANNELS, CHANNELS, 1) if grid.is_image else nn.Linear(CHANNELS, CHANNELS) for _ in range(2)]

    def apply(x: Tensor, q: nn.Module, k: nn.Module, w: Tensor) -> Tensor:
        return function(x, expand(w, x), q, k)

    return f"{use} of {way}", Piece(apply, layers, [grid.shape], pointwise=use in POINTWISE and way != WITHOUT_PLACE)


def draw(choose: Choose) -> Drawn:
    """One or two uses of expanded weights."""
    grid = draw_grid(choose)
    return around(choose, grid, [_piece(choose, grid) for _ in range(choose([1, 2]))])
