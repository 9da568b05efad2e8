"""What every family draws from: arrays, shapes and choices of one seed; and a node as it is drawn."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

OPSETS = (7, 24)
"""The first and last opset that is drawn."""


@dataclass(frozen=True)
class Fixed:
    """An input that is a constant of the file."""

    array: Array


Given = Array | Fixed | None
"""What a node is given: an input of the file, a constant, or nothing."""


@dataclass(frozen=True)
class Node:
    """A node of one operator.

    Attributes:
        inputs: In ONNX's order.
        attributes: ONNX's.
        opsets: The first and last opset in which this is a form of it.
        outputs: How many of its outputs are taken.
    """

    inputs: Sequence[Given]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    opsets: tuple[int, int] = OPSETS
    outputs: int = 1


class Draw(random.Random):
    """Draws of one seed."""

    def chance(self, probability: float = 0.5) -> bool:
        return self.random() < probability

    def normal(self, *shape: int) -> Array:
        """Numbers of the standard normal distribution, float32."""
        return self._generator().standard_normal(shape).astype(np.float32)

    def positive(self, *shape: int) -> Array:
        """Their magnitudes, away from 0."""
        return np.abs(self.normal(*shape)) + np.float32(0.1)

    def integers(self, low: int, high: int, *shape: int) -> Array:
        """Whole numbers from ``low`` to ``high − 1``, int64."""
        return np.asarray(self._generator().integers(low, high, shape), np.int64)

    def shape(self, low: int = 2, high: int = 4) -> tuple[int, ...]:
        """Of so many axes, of small sizes, ones among them."""
        rank = self.randint(low, high)
        return (self.randint(1, 3), *(self.randint(1, 5) for _ in range(rank - 1)))

    def either(self, array: Array) -> Given:
        """An input or a constant."""
        return Fixed(array) if self.chance() else array

    def some(self, **choices: Sequence[Any]) -> dict[str, Any]:
        """For some attributes one of their values; the others are left out."""
        return {name: self.choice(values) for name, values in choices.items() if self.chance(0.6)}

    def axis(self, rank: int, first: int = 0) -> int:
        """An axis, which may be counted from behind."""
        axis = self.randrange(first, rank)
        return axis - rank if self.chance(0.3) else axis

    def _generator(self) -> np.random.Generator:
        return np.random.default_rng(self.getrandbits(32))


Row = Callable[[Draw], Node]
"""Draws a node of one operator."""


def fixed(numbers: Any, dtype: Any = np.int64) -> Fixed:
    """A constant of whole numbers, or of a dtype."""
    return Fixed(np.array(numbers, dtype))


def present(given: Sequence[Given]) -> list[Given]:
    """Inputs without those at the end that are left out."""
    kept = list(given)
    while kept and kept[-1] is None:
        kept.pop()
    return kept
