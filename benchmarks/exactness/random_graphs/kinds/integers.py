"""Integer inputs: tokens, masks, positions, indices, beside floats or alone."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.exactness.random_graphs.description import Choose
from benchmarks.exactness.random_graphs.kinds.drawn import Drawn, Piece, integers, network, normal
from benchmarks.exactness.random_graphs.kinds.trunk import CHANNELS, CLASSES, activation

ROWS, LENGTH = 7, 5


def _positions(ids: Tensor, table: Tensor) -> Tensor:
    places = torch.arange(ids.shape[1], device=ids.device).unsqueeze(0).expand_as(ids)
    return F.embedding(places, table)


def _attention(x: Tensor, ids: Tensor, qkv: nn.Module) -> Tensor:
    q, k, v = qkv(x).chunk(3, -1)
    seen = (ids != 0) | (torch.arange(LENGTH, device=ids.device) == 0)
    return x + F.scaled_dot_product_attention(q, k, v, attn_mask=seen[:, None])


def _mean(x: Tensor, ids: Tensor) -> Tensor:
    kept = (ids > 0).unsqueeze(-1).to(x.dtype)
    return x + ((x * kept).sum(1) / (kept.sum(1) + 1))[:, None]


MIDDLES: dict[str, Callable[..., Tensor]] = {
    "positions": lambda x, ids, f, g, w: x + _positions(ids, w[:LENGTH]),
    "attention with a mask": lambda x, ids, f, g, w: _attention(x, ids, g),
    "mean of the kept": lambda x, ids, f, g, w: _mean(f(x), ids),
    "zeros by a mask": lambda x, ids, f, g, w: f(x) * (ids != 1).unsqueeze(-1),
    "filled by a mask": lambda x, ids, f, g, w: f(x).masked_fill((ids == 2).unsqueeze(-1), 0.3),
    "where": lambda x, ids, f, g, w: torch.where((ids % 2 == 0).unsqueeze(-1), x, f(x)),
    "rows by index": lambda x, ids, f, g, w: x * torch.sigmoid(w[ids]),
    "rows selected": lambda x, ids, f, g, w: x + w.index_select(0, ids.flatten()).view_as(x),
    "one hot": lambda x, ids, f, g, w: f(x) + F.one_hot(ids, ROWS).to(x.dtype) @ w,
    "counted": lambda x, ids, f, g, w: x * (1 + ids.unsqueeze(-1).to(x.dtype) * 0.2),
    "shifted": lambda x, ids, f, g, w: x + F.embedding((ids + 1) % ROWS, w),
    "gathered tokens": lambda x, ids, f, g, w: x + x.gather(1, (ids % LENGTH).unsqueeze(-1).expand_as(x)),
    "one token": lambda x, ids, f, g, w: x + f(x)[torch.arange(x.shape[0]), ids[:, 0] % LENGTH][:, None],
    "running count": lambda x, ids, f, g, w: f(x) * (ids != 0).cumsum(1).unsqueeze(-1) * 0.3,
    "scaled table": lambda x, ids, f, g, w: x + f(F.embedding(ids, w, scale_grad_by_freq=False)) * 0.5,
}


def _bag(ids: Tensor, w: Tensor) -> Tensor:
    return F.embedding_bag(ids, w, mode="mean")[:, None].expand(-1, LENGTH, -1)


TABLES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "embedding": lambda ids, w: F.embedding(ids, w),
    "padded embedding": lambda ids, w: F.embedding(ids, w, padding_idx=0),
    "rows": lambda ids, w: w[ids],
    "bag": _bag,
}


def draw(choose: Choose) -> Drawn:
    """Tokens alone, or beside floats ``(N, L, 3)`` or a vector; up to three uses of the tokens."""
    beside = choose(["alone", "sequence", "vector"])
    names = [choose(list(MIDDLES)) for _ in range(choose([1, 2, 3]))]
    table = choose(list(TABLES))
    after = activation(choose)

    def front(ids: Tensor, *rest: Tensor | nn.Module) -> Tensor:
        given = [value for value in rest if isinstance(value, Tensor) and not isinstance(value, nn.Parameter)]
        layers = [value for value in rest if isinstance(value, nn.Module)]
        weights = [value for value in rest if isinstance(value, nn.Parameter)]
        x = TABLES[table](ids, weights[0])
        if given:
            y: Tensor = layers[0](given[0])
            x = x + (y if y.ndim == x.ndim else y[:, None])
        for index, name in enumerate(names):
            x = MIDDLES[name](x, ids, layers[1 + 2 * index], layers[2 + 2 * index], weights[1 + index])
        return x

    made: list[nn.Module] = [nn.Linear(3, CHANNELS)]
    for _ in names:
        made += [nn.Linear(CHANNELS, CHANNELS), nn.Linear(CHANNELS, 3 * CHANNELS)]
    pieces = [
        Piece(front, made, [(ROWS, CHANNELS)] * (1 + len(names))),
        after[1],
        Piece(lambda x, layer: layer(x.mean(1)), [nn.Linear(CHANNELS, CLASSES)]),
    ]

    def make(batch: int, _: object, seed: int) -> tuple[Tensor, ...]:
        ids = integers(ROWS, (batch, LENGTH), seed)
        floats = {"sequence": (batch, LENGTH, 3), "vector": (batch, 3)}
        return (ids, normal(floats[beside], seed)) if beside in floats else (ids,)

    described = f"{beside}, {table}: {', '.join([*names, after[0]])}"
    return Drawn(network(pieces, 1 if beside == "alone" else 2), make, ((),), described)
