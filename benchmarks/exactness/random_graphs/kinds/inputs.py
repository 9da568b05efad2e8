"""Several inputs of different ranks: pictures, signals, vectors, numbers."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.exactness.random_graphs.description import Choose, Shape
from benchmarks.exactness.random_graphs.kinds.drawn import Drawn, Piece, network, normal
from benchmarks.exactness.random_graphs.kinds.trunk import CHANNELS, CLASSES, activation

SHAPES: tuple[Shape, ...] = ((3, 6, 5), (3, 8), (7,), (4, 6), (5, 3), (2, 3, 4, 3), ())
"""Without the batch; the empty one is a number for each sample."""


def _encoder(shape: Shape) -> nn.Module:
    """To vectors ``(N, C)``, by way of places where the input has some."""
    if len(shape) == 3:
        return nn.Sequential(
            nn.Conv2d(shape[0], CHANNELS, 3, padding=1), nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )
    if len(shape) == 4:
        return nn.Sequential(nn.Conv3d(shape[0], CHANNELS, 2), nn.Tanh(), nn.AdaptiveAvgPool3d(1), nn.Flatten())
    if len(shape) == 2:
        return nn.Sequential(nn.Conv1d(shape[0], CHANNELS, 3), nn.GELU(), nn.AdaptiveMaxPool1d(1), nn.Flatten())
    return nn.Sequential(nn.Linear(shape[0] if shape else 1, CHANNELS), nn.SiLU())


JOINS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "sum": torch.add,
    "product": lambda a, b: a * torch.tanh(b),
    "modulated": lambda a, b: a * (1 + b) + b.flip(1),
    "quotient": lambda a, b: a / (b.abs() + 0.5),
    "outer": lambda a, b: (a[:, :, None] * b[:, None]).sum(1),
    "distance": lambda a, b: (a - b) ** 2,
    "similarity": lambda a, b: a * F.cosine_similarity(a, b, -1, 0.1)[:, None],
    "attention": lambda a, b: ((a[:, :, None] @ b[:, None] * 0.5).softmax(-1) @ b[:, :, None])[..., 0],
    "the larger": torch.maximum,
}


def _direct(x: Tensor, y: Tensor) -> Tensor:
    """The second input's channels move the first's pictures."""
    return x + y.flatten(1)[:, :1].reshape(-1, *[1] * (x.ndim - 1))


def draw(choose: Choose) -> Drawn:
    """Two or three inputs, an encoder each, joined one after another."""
    count = choose([2, 3])
    shapes = [choose(SHAPES) for _ in range(count)]
    joins = [choose(list(JOINS)) for _ in range(count - 1)]
    moved = choose([False, True]) and bool(shapes[0])

    def front(*given: nn.Module | Tensor) -> Tensor:
        values = [value if value.ndim > 1 else value[:, None] for value in given[:count] if isinstance(value, Tensor)]
        if moved:
            values[0] = _direct(values[0], values[1])
        encoded: list[Tensor] = [layer(x) for layer, x in zip(given[count:], values, strict=True)]  # type: ignore[operator]
        joined = encoded[0]
        for name, other in zip(joins, encoded[1:], strict=True):
            joined = JOINS[name](joined, other)
        return joined

    name, between = activation(choose)
    head = Piece(lambda x, layer: layer(x), [nn.Linear(CHANNELS, CLASSES)])
    pieces = [Piece(front, [_encoder(shape) for shape in shapes]), between, head]
    return Drawn(
        network(pieces, count),
        lambda batch, _, seed: tuple(normal((batch, *shape), seed + i) for i, shape in enumerate(shapes)),
        ((),),
        f"{shapes}: {', '.join(joins)}{', moved' if moved else ''}, {name}",
    )
