"""What a kind draws: a network of pieces, its example, and what else its artifact is run on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.exactness.random_graphs.description import Choose, Shape


class Piece(nn.Module):
    """``function(*values, *layers, *weights)`` with layers and normal weights of its own.

    Attributes:
        pointwise: Whether each place of its value depends on that place of its operand alone, so that what the piece
            adds to the signed map is ``Σ_c (δ_out ⊙ out − δ_in ⊙ in)`` at each place.
    """

    def __init__(
        self,
        function: Callable[..., Tensor],
        layers: Sequence[nn.Module] = (),
        weights: Sequence[Shape] = (),
        pointwise: bool = False,
    ) -> None:
        super().__init__()
        self.function = function
        self.layers = nn.ModuleList(layers)
        self.weights = nn.ParameterList([nn.Parameter(torch.randn(shape) * 0.5) for shape in weights])
        self.pointwise = pointwise

    def forward(self, *values: Tensor) -> Tensor:
        return self.function(*values, *self.layers, *self.weights)


class Pieces(nn.Module):
    """The first piece takes all inputs, each other one the value before; the last returns the logits."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        super().__init__()
        self.pieces = nn.ModuleList(pieces)

    def forward(self, *inputs: Tensor) -> Tensor:
        value = self.pieces[0](*inputs)
        for piece in self.pieces[1:]:
            value = piece(value)
        return value  # type: ignore[no-any-return]


class OneInput(Pieces):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)


class TwoInputs(Pieces):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return super().forward(x, y)


class ThreeInputs(Pieces):
    def forward(self, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        return super().forward(x, y, z)


NETWORKS: tuple[type[Pieces], ...] = (OneInput, TwoInputs, ThreeInputs)
"""By the number of inputs, which have names: what is bound by name needs them."""


@dataclass(frozen=True)
class Drawn:
    """A network of a kind.

    Attributes:
        model: Of ``Pieces``, in evaluation mode, in the dtype that its weights are in.
        make: Inputs in float64 for a batch and sizes of space: ``make(batch, sizes, seed)``.
        sizes: The example's sizes of space first, then others that the artifact is run at.
        options: For ``fgcompile.compile``.
        batch_axes: Where each input has its samples; the first axis unless it is said.
        dtype: Of the weights.
        channels: The axis that the map sums over.
        described: What was drawn, in words.
    """

    model: Pieces
    make: Callable[[int, Shape, int], tuple[Tensor, ...]]
    sizes: tuple[Shape, ...]
    described: str
    options: Mapping[str, Any] = field(default_factory=dict)
    batch_axes: tuple[int, ...] = (0, 0, 0)
    dtype: torch.dtype = torch.float32
    channels: int = 1


Draw = Callable[[Choose], Drawn]
"""Draws a network of a kind; the same choices give the same one, weights included."""


def network(pieces: Sequence[Piece], inputs: int = 1) -> Pieces:
    """The pieces as a network for that many inputs."""
    return NETWORKS[inputs - 1](pieces).eval()


def normal(shape: Sequence[int], seed: int) -> Tensor:
    """Seeded noise in float64."""
    return torch.randn(tuple(shape), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def integers(largest: int, shape: Sequence[int], seed: int) -> Tensor:
    """Seeded integers from 0 to ``largest`` − 1."""
    return torch.randint(0, largest, tuple(shape), generator=torch.Generator().manual_seed(seed))
