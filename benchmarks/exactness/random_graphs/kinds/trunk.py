"""The parts that most kinds have around what they are about: a first layer, activations, a classifier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.exactness.random_graphs.description import Choose, Shape
from benchmarks.exactness.random_graphs.kinds.drawn import Drawn, Piece, network, normal

CLASSES = 3
CHANNELS = 4

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": F.relu,
    "gelu": F.gelu,
    "silu": F.silu,
    "softplus": F.softplus,
}


@dataclass(frozen=True)
class Grid:
    """The values of a trunk: images ``(N, C, H, W)`` or tokens ``(N, L, C)``.

    Attributes:
        shape: Without the batch.
        channels: The axis of the channels, the batch counted.
    """

    shape: Shape
    channels: int

    @property
    def is_image(self) -> bool:
        return len(self.shape) == 3

    def of(self, width: int) -> Shape:
        """The shape with another number of channels."""
        return tuple(width if axis == self.channels else size for axis, size in enumerate(self.shape, 1))


def draw_grid(choose: Choose) -> Grid:
    """Small images or tokens of ``CHANNELS`` channels."""
    if choose([True, False]):
        return Grid((CHANNELS, choose([5, 4, 6]), choose([6, 4, 5])), 1)
    return Grid((choose([5, 4, 6]), CHANNELS), 2)


def first_layer(grid: Grid, width: int = 3) -> Piece:
    """A pointwise layer with a bias from ``width`` channels."""
    layer: nn.Module = nn.Conv2d(width, CHANNELS, 1) if grid.is_image else nn.Linear(width, CHANNELS)
    return Piece(lambda x, layer: layer(x), [layer], pointwise=True)


def activation(choose: Choose) -> tuple[str, Piece]:
    """A drawn activation."""
    name = choose(list(ACTIVATIONS))
    return name, Piece(ACTIVATIONS[name], pointwise=True)


def classifier(grid: Grid) -> Piece:
    """The mean over places and a linear layer."""
    places = tuple(axis for axis in range(1, len(grid.shape) + 1) if axis != grid.channels)
    return Piece(lambda x, layer: layer(x.mean(places)), [nn.Linear(CHANNELS, CLASSES)])


def around(choose: Choose, grid: Grid, middle: Sequence[tuple[str, Piece]]) -> Drawn:
    """A network of one input with drawn activations behind its first layer and its last middle piece."""
    before, after = activation(choose), activation(choose)
    named = [before, *middle, after]
    model = network([first_layer(grid), *(piece for _, piece in named), classifier(grid)])
    described = f"{grid.shape}: " + ", ".join(name for name, _ in named)
    shape = grid.of(3)
    return Drawn(
        model, lambda batch, _, seed: (normal((batch, *shape), seed),), ((),), described, channels=grid.channels
    )
