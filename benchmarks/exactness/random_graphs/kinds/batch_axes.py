"""The batch on another axis, inside the network or of an input: sequence first, as recurrences take it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from benchmarks.exactness.random_graphs.description import Choose
from benchmarks.exactness.random_graphs.kinds.drawn import Drawn, Piece, network, normal
from benchmarks.exactness.random_graphs.kinds.trunk import CHANNELS, CLASSES, activation

LENGTH = 3


def _attended(x: Tensor, layer: nn.Module) -> Tensor:
    """Of time-first values ``(L, N, C)``."""
    return x + layer(x, x, x, need_weights=False)[0]  # type: ignore[no-any-return]


def _over_samples_last(x: Tensor, layer: nn.Module) -> Tensor:
    """The channels in front and the samples last, ``(C, L, N)``."""
    return layer(x.permute(2, 0, 1).permute(1, 2, 0)).tanh() + x  # type: ignore[no-any-return]


PARTS: dict[str, Callable[[], Piece]] = {
    "linear": lambda: Piece(lambda x, f: f(x), [nn.Linear(CHANNELS, CHANNELS)]),
    "recurrence": lambda: Piece(lambda x, f: f(x)[0], [nn.RNN(CHANNELS, CHANNELS)]),
    "gated recurrence": lambda: Piece(lambda x, f: f(x)[0], [nn.GRU(CHANNELS, CHANNELS)]),
    "long memory": lambda: Piece(lambda x, f: f(x)[0], [nn.LSTM(CHANNELS, CHANNELS // 2, bidirectional=True)]),
    "attention": lambda: Piece(_attended, [nn.MultiheadAttention(CHANNELS, 2)]),
    "encoder": lambda: Piece(lambda x, f: f(x), [nn.TransformerEncoderLayer(CHANNELS, 2, 6, dropout=0.0)]),
    "layer norm": lambda: Piece(lambda x, f: f(x), [nn.LayerNorm(CHANNELS)]),
    "samples last": lambda: Piece(_over_samples_last, [nn.Linear(CHANNELS, CHANNELS)]),
    "positions": lambda: Piece(lambda x, w: x + w, weights=[(LENGTH, 1, CHANNELS)]),
    "differences": lambda: Piece(lambda x: torch.cat([x[:1], x[1:] - x[:-1]])),
    "sums": lambda: Piece(lambda x: x.cumsum(0) * 0.5),
    "softmax over time": lambda: Piece(lambda x: x * x.softmax(0)),
    "gate of the last": lambda: Piece(lambda x: x * torch.sigmoid(x[-1])),
    "mixed": lambda: Piece(lambda x, w: torch.einsum("lm,mnc->lnc", w.softmax(-1), x), weights=[(LENGTH, LENGTH)]),
}


def draw(choose: Choose) -> Drawn:
    """An input ``(N, L, C)`` that is turned, layers over time-first values, and the last or mean value."""
    names = [choose(list(PARTS)) for _ in range(choose([1, 2, 3]))]
    ending = choose(["last", "mean"])
    pieces = [Piece(lambda x, f: f(x.transpose(0, 1)), [nn.Linear(3, CHANNELS)])]
    for name in names:
        pieces += [PARTS[name](), activation(choose)[1]]
    pieces.append(Piece(lambda x, f: f(x[-1] if ending == "last" else x.mean(0)), [nn.Linear(CHANNELS, CLASSES)]))
    return Drawn(
        network(pieces),
        lambda batch, _, seed: (normal((batch, LENGTH, 3), seed),),
        ((),),
        ", ".join([*names, ending]),
        channels=2,
    )


def draw_input(choose: Choose) -> Drawn:
    """The same of an input ``(L, N, C)``, which the layouts say."""
    drawn = draw(choose)
    first = Piece(lambda x, f: f(x), [nn.Linear(3, CHANNELS)])
    pieces = [first, *list(drawn.model.pieces)[1:]]
    return replace(
        drawn,
        model=network(pieces),  # type: ignore[arg-type]
        make=lambda batch, _, seed: (normal((LENGTH, batch, 3), seed),),
        options={"layouts": {"x": "l n c"}},
        batch_axes=(1,),
    )
