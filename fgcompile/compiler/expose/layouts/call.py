"""One call of an operator, as the rules of propagation see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, fx

from fgcompile.compiler.expose.layouts.positions import Positions
from fgcompile.compiler.ir.sizes import hint

CHANNEL, SPATIAL = "channel", "spatial"

Shapes = list[tuple[int, ...]]
"""The shapes of an operator's outputs at the example's batch size."""


@dataclass(frozen=True)
class PositionCall:
    """One operator's call.

    Attributes:
        node: The node that makes it.
        arguments: Its arguments by name.
        known: The positions of the values before it, or of each of an operator's outputs.
        constants: The values that are known when compiling.
        mark: Notes what the call tells of a coordinate's role, ``CHANNEL`` or ``SPATIAL``.
    """

    node: fx.Node
    arguments: Mapping[str, Any]
    known: Mapping[fx.Node, Any]
    constants: Mapping[fx.Node, Tensor]
    mark: Callable[[int, str], None]

    def positions(self, value: Any) -> Positions | None:
        """The positions of an argument."""
        found = self.known.get(value) if isinstance(value, fx.Node) else None
        return found if isinstance(found, Positions) else None

    def value(self, argument: Any) -> Any:
        """An argument with concrete numbers and constants in place of nodes."""
        return fx.node.map_arg(argument, self._concrete)

    def _concrete(self, node: fx.Node) -> Any:
        if node in self.constants:
            return self.constants[node]
        value: Any = node.meta.get("val")
        return value if isinstance(value, Tensor) else hint(value)


PositionRule = Callable[[PositionCall, Shapes], Any]
"""Maps a call to the positions of its output, or of each of its outputs; None where there are none."""


def shapes_of(value: Any) -> Shapes:
    """The shapes of a node's outputs."""
    values = value if isinstance(value, tuple | list) else [value]
    return [concrete_shape(item) for item in values if isinstance(item, Tensor)]


def concrete_shape(value: Tensor) -> tuple[int, ...]:
    """A fake tensor's shape at the example's batch size."""
    return tuple(hint(size) for size in value.shape)
