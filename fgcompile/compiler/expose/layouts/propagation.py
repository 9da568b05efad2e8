"""Follows the input's axes through a graph: the positions of every value, by what each operator does with axes.

Operators that move elements are applied to the coordinates themselves (``movement``), sliding windows read them at
their centres (``windows``), products and reductions average them along the axes that they sum over (``sums``), and
everything else acts on each element alone.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, fx

from fgcompile.compiler.expose.layouts.call import CHANNEL, PositionCall, PositionRule, Shapes, shapes_of
from fgcompile.compiler.expose.layouts.movement import MOVEMENT
from fgcompile.compiler.expose.layouts.positions import Positions, joined
from fgcompile.compiler.expose.layouts.sums import SUMS
from fgcompile.compiler.expose.layouts.windows import WINDOWS
from fgcompile.compiler.ir.nodes import bind
from fgcompile.compiler.ir.tables import join_tables

POSITION_RULES: dict[Any, PositionRule] = join_tables("the table of propagation", (MOVEMENT, SUMS, WINDOWS))
"""What each operator does with axes, where it does not act on each element alone."""


class Propagation:
    """The positions of a graph's values, and what the operators say about the roles of the input's axes.

    Attributes:
        positions: For each node, those of its output, or of each of its outputs.
        roles: For each coordinate that an operator tells something about, ``"channel"`` or ``"spatial"``.
    """

    def __init__(self, constants: Mapping[fx.Node, Tensor], owners: Sequence[int]) -> None:
        self.positions: dict[fx.Node, Any] = {}
        self.roles: dict[int, str] = {}
        self._constants = constants
        self._owners = owners

    def run(self, graph: fx.Graph, starts: Mapping[fx.Node, Positions]) -> None:
        """Propagates from the inputs' own positions through the graph."""
        self.positions |= starts
        for node in graph.nodes:
            if node.op == "call_function" and any(source in self.positions for source in node.all_input_nodes):
                result = self._propagate(node)
                if result is not None:
                    self.positions[node] = result

    def _propagate(self, node: fx.Node) -> Any:
        if node.target is operator.getitem:
            # One of several outputs. Of those that hold indices (of max, topk, sort) nothing is said below, so None.
            source, index = node.args
            several = self.positions.get(source)  # type: ignore[arg-type]  # a node
            return several[index] if isinstance(several, list) and isinstance(index, int) else None
        shapes = shapes_of(node.meta.get("val"))
        if not shapes:
            return None
        rule = POSITION_RULES.get(node.target, _act_elementwise)
        result = rule(PositionCall(node, bind(node), self.positions, self._constants, self._mark), shapes)
        if isinstance(node.meta["val"], tuple | list) and not isinstance(result, list):
            return [result, *[None] * (len(shapes) - 1)]
        return result

    def _mark(self, coordinate: int, role: str) -> None:
        """The first operator that tells a role decides; an input has one axis of channels."""
        owner = self._owners[coordinate]
        taken = role == CHANNEL and any(
            known == CHANNEL and self._owners[other] == owner for other, known in self.roles.items()
        )
        if coordinate and not taken:
            self.roles.setdefault(coordinate, role)


def _act_elementwise(call: PositionCall, shapes: Shapes) -> Positions | None:
    """Whatever takes operands that broadcast to its output."""
    operands = [p for p in (call.positions(node) for node in call.node.all_input_nodes) if p is not None]
    fitting = [p for p in operands if _broadcasts(p.shape, shapes[0])]
    return joined(fitting, shapes[0]) if fitting else None


def _broadcasts(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    trailing = target[len(target) - len(shape) :]
    return len(shape) <= len(target) and all(size in (1, full) for size, full in zip(shape, trailing, strict=True))
