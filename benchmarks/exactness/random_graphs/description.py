"""What a random graph is made of: values by position, the inputs first and then one for each step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from torch import Tensor

Option = TypeVar("Option")
Shape = tuple[int, ...]
"""A shape without the batch, which comes first."""

Settings = Mapping[str, Any]
Layer = Callable[..., Tensor]
"""Maps operands ``(N, …)`` to a value ``(N, …)``; an ``nn.Module`` where it has weights."""


class Choose(Protocol):
    """The only source of randomness: hypothesis, which shrinks towards the first option, or a seeded generator."""

    def __call__(self, options: Sequence[Option], /) -> Option:
        """One of ``options``."""


@dataclass(frozen=True)
class Step:
    """One operator of a graph.

    Attributes:
        operator: Its name in ``benchmarks.exactness.random_graphs.families``.
        operands: The positions of the values that it takes.
        settings: Its strides, axes and so on.
        layer: The earlier step whose layer, weights included, is called again; None for a layer of its own.
        scale: A constant that the result is multiplied by, which keeps values near one; 1.0 for none.
    """

    operator: str
    operands: tuple[int, ...]
    settings: Settings = field(default_factory=dict)
    layer: int | None = None
    scale: float = 1.0


@dataclass(frozen=True)
class Description:
    """A whole graph: every value that no step takes is flattened into a linear head of three classes.

    Attributes:
        inputs: The shapes of the inputs.
        steps: The operators in order.
        seed: Of the weights.
    """

    inputs: tuple[Shape, ...]
    steps: tuple[Step, ...]
    seed: int


@dataclass(frozen=True)
class Operator:
    """A kind of step.

    Attributes:
        build: Makes the layer from the operands' shapes and the settings.
        applies: Whether it takes operands of these shapes.
        draw: Draws settings that are valid for these shapes.
        arity: The number of operands.
        selects: Whether it picks elements by their order, so that its operand must not hold equal ones.
    """

    build: Callable[[Sequence[Shape], Settings], Layer]
    applies: Callable[[Sequence[Shape]], bool] = lambda shapes: True
    draw: Callable[[Choose, Sequence[Shape]], Settings] = lambda choose, shapes: {}
    arity: int = 1
    selects: bool = False
