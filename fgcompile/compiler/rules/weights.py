"""Which activations are gates or weights: what a product takes as the constant, so that relevance passes the other.

A weight is what softmax, a sigmoid or the inverse of a statistic returns, whatever only moves, masks, casts or scales
it, and sums and products of weights. A saturating function becomes a gate by a shift, as in the hand-written forms
``½ x (1 + tanh(…))`` of GELU and ``x · relu6(x + 3)/6`` of hardswish.
"""

from __future__ import annotations

import operator
from collections.abc import Container
from dataclasses import dataclass

import torch
from torch import fx

from fgcompile.compiler.biases.homogeneous import MOVES
from fgcompile.compiler.ir.nodes import bind
from fgcompile.compiler.ir.torch_internals import OpOverload

aten = torch.ops.aten

INVERSES = (aten.rsqrt.default, aten.reciprocal.default)


@dataclass(frozen=True)
class Weighing:
    """What makes weights of activations.

    Attributes:
        sources: The operators that do; negative powers do too.
        gates: Whether a saturating function becomes a gate by a shift.
    """

    sources: tuple[OpOverload, ...]
    gates: bool


GATES_AND_SCALES = Weighing((aten._softmax.default, aten.sigmoid.default, aten.hardsigmoid.default, *INVERSES), True)
SCALES = Weighing(INVERSES, False)
"""The scales of normalisations alone."""

TRANSPARENT = (
    operator.getitem,
    *MOVES,
    aten.constant_pad_nd.default,
    aten.cat.default,
    aten.clone.default,
    aten._to_copy.default,
    aten.where.self,
    aten.mul.Tensor,
    aten.mul.Scalar,
    aten.add.Tensor,
    aten.add.Scalar,
    aten.sub.Tensor,
)
"""What makes weights of weights and constants."""

SIGMOIDAL = (aten.tanh.default, aten.erf.default)
CLAMPED = (aten.relu6.default, aten.hardtanh.default, aten.clamp.default)
SUMS = (aten.add.Tensor, aten.add.Scalar, aten.sub.Tensor)
COPIES = (aten.clone.default, aten._to_copy.default)
SCALED = (*COPIES, aten.mul.Tensor, aten.mul.Scalar, aten.div.Tensor, aten.div.Scalar, aten.neg.default)


def weight_nodes(graph: fx.Graph, active: Container[fx.Node], weighing: Weighing) -> set[fx.Node]:
    """Every active node that is a gate or weight."""
    weights: set[fx.Node] = set()
    for node in graph.nodes:
        if node in active and _is_weight(node, active, weights, weighing):
            weights.add(node)
    return weights


def is_gate_of(gate: fx.Node, factor: fx.Node, active: Container[fx.Node]) -> bool:
    """Whether a factor of a product is a function, by element, of the other, scaled or not: ``g(x)`` of ``c x``.

    Their product is then an activation, such as a GELU by hand, ``(½ x) · (1 + erf(x/√2))``.
    """
    core = _unscaled(factor, active)
    return _unscaled(gate, active) is not core and _is_function_of(gate, core, active)


def is_share(part: fx.Node, whole: fx.Node) -> bool:
    """Whether the second is a sum of the first, along some axes, as in a softmax by hand: ``eˣ/Σ eˣ``."""
    while whole.target in (aten.expand.default, aten.add.Scalar, aten.clamp.default, aten.clamp_min.default):
        whole = whole.all_input_nodes[0]
    if whole.target not in (aten.sum.dim_IntList, aten.sum.default):
        return False
    (summed,) = whole.all_input_nodes
    return summed is part or (summed.target, summed.args, summed.kwargs) == (part.target, part.args, part.kwargs)


def _unscaled(node: fx.Node, active: Container[fx.Node]) -> fx.Node:
    """The ``x`` of ``c x`` with a constant ``c``."""
    while node.target in SCALED:
        operands = [source for source in node.all_input_nodes if source in active]
        if len(operands) != 1 or (node.args[0] is not operands[0] and node.target is aten.div.Tensor):
            break
        (node,) = operands
    return node


def _is_function_of(node: fx.Node, core: fx.Node, active: Container[fx.Node]) -> bool:
    pending, seen = [node], set[fx.Node]()
    while pending:
        each = pending.pop()
        if each is core or each in seen:
            continue
        target = each.target
        if not (isinstance(target, OpOverload) and (torch.Tag.pointwise in target.tags or target in COPIES)):
            return False
        seen.add(each)
        pending += [source for source in each.all_input_nodes if source in active]
    return True


def _is_weight(node: fx.Node, active: Container[fx.Node], weights: Container[fx.Node], weighing: Weighing) -> bool:
    # Weights arise at a source and spread through what only moves or scales them. A quotient is one if its numerator
    # is: 1/n of anything, but not a/n of an activation a. Of a sum or product all active operands have to be weights:
    # softmax(a) + b is an activation again.
    if node.target in weighing.sources or (weighing.gates and _is_shifted_gate(node, active)):
        return True
    if node.target is aten.pow.Tensor_Scalar:
        exponent = node.args[1]
        return isinstance(exponent, int | float) and exponent < 0
    if node.target is aten.div.Tensor:  # what divides counts as a constant, see fgcompile.compiler.rules.products
        return node.args[0] not in active or node.args[0] in weights
    return node.target in TRANSPARENT and all(source in weights for source in node.all_input_nodes if source in active)


def _is_shifted_gate(node: fx.Node, active: Container[fx.Node]) -> bool:
    """``1 + tanh(a)``, ``1 + erf(a)``, or ``relu6(a + 3)``."""
    # The shift comes after tanh and erf, and before a clamp; tanh(a) alone is an activation, as is relu6(a).
    shifted = _shifted_by_number(node, active)
    if shifted is not None:
        return shifted.target in SIGMOIDAL
    operand = node.args[0] if node.args else None
    return isinstance(operand, fx.Node) and _is_clamp(node) and _shifted_by_number(operand, active) is not None


def _is_clamp(node: fx.Node) -> bool:
    """Whether the node bounds its operand from below and above."""
    return node.target in CLAMPED and None not in bind(node).values()


def _shifted_by_number(node: fx.Node, active: Container[fx.Node]) -> fx.Node | None:
    """The ``a`` of ``a + number``."""
    if node.target not in SUMS:
        return None
    operands = [source for source in node.all_input_nodes if source in active]
    numbers = [source for source in node.all_input_nodes if source not in active]
    scalar = all(number.meta["val"].numel() == 1 for number in numbers)
    return operands[0] if len(operands) == 1 and scalar and node.args[0] is not node.args[1] else None
