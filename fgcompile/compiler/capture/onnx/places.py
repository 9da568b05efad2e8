"""Integers of which it is known that they count samples or say where a mask is true, and what is written there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fgcompile.errors import UnsupportedOpError


@dataclass(frozen=True)
class Count:
    """``factor · i + rest`` at place ``i`` of the first axis.

    Attributes:
        shape: Of the whole.
        factor: How far it is from one sample to the next.
        rest: What each place adds, of as many axes, or nothing.
    """

    shape: tuple[Any, ...]
    factor: int = 1
    rest: Tensor | None = None

    def index(self) -> Tensor:
        """The samples' numbers, of size 1 along the other axes."""
        return torch.arange(self.shape[0]).reshape(-1, *[1] * (len(self.shape) - 1))

    def tensor(self) -> Tensor:
        """It as a tensor."""
        numbers = (self.factor * self.index()).expand(self.shape)
        return numbers if self.rest is None else numbers + self.rest

    @property
    def is_plain(self) -> bool:
        """Whether it counts samples and nothing else."""
        return self.factor == 1 and self.rest is None


@dataclass(frozen=True)
class Columns:
    """Indices of several axes, ``(…, k)`` for k of them: one value for each."""

    parts: tuple[Any, ...]

    @property
    def shape(self) -> tuple[Any, ...]:
        """Of the whole."""
        return (*self.parts[0].shape, len(self.parts))

    def tensor(self) -> Tensor:
        """It as a tensor."""
        return torch.stack([each.tensor() if isinstance(each, Count) else each for each in self.parts], -1)

    def index(self) -> tuple[Tensor, ...]:
        """What indexes the axes."""
        return tuple(each.index() if isinstance(each, Count) else each for each in self.parts)


@dataclass(frozen=True)
class Found:
    """Where a mask is true: ``(rank, count)``, or a row for each place, ``(count, rank)``; by which node."""

    mask: Tensor
    by_rows: bool = False
    title: str = "a node"

    def tensor(self) -> Tensor:
        """It as a tensor.

        Raises:
            UnsupportedOpError: Always, since nobody knows how many places there are.
        """
        raise UnsupportedOpError(
            f"it takes the places that {self.title} finds, as many as values say: one graph needs to know how many"
        )


@dataclass(frozen=True)
class Spread:
    """One number, as often as values say."""

    number: Tensor

    def tensor(self) -> Tensor:
        """It as a tensor.

        Raises:
            UnsupportedOpError: Always, since nobody knows how often.
        """
        raise UnsupportedOpError("its shape is computed from values: one graph needs it constant, or of sizes")


@dataclass(frozen=True)
class Hot:
    """Which of the numbers from 0 on an index is, along the last axis.

    Attributes:
        index: Integers ``(…, 1)``.
        count: How many numbers.
    """

    index: Tensor
    count: int

    @property
    def shape(self) -> tuple[Any, ...]:
        """Of the whole."""
        return (*self.index.shape[:-1], self.count)

    def tensor(self) -> Tensor:
        """It as a tensor."""
        return self.index == torch.arange(self.count, dtype=self.index.dtype)


Places = Count | Columns | Found | Spread | Hot
"""Values that are known as such while a graph is built."""
