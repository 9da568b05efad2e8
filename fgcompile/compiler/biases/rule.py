"""What a row of the bias table says of an operator ``y = g(a_1 … a_k)``: where its bias ``b_g = y − Σ J_i a_i`` is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, fx

from fgcompile.compiler.ir.torch_internals import OpOverload


@dataclass(frozen=True)
class BiasCall:
    """One call of an operator in a captured graph, as a rule sees it.

    Attributes:
        node: The node that makes the call.
        arguments: The call's arguments by the names of the operator's schema, defaults included.
        active: The nodes among the arguments that depend on the input and carry a gradient.
        constants: The values of the nodes among the arguments that are known when compiling.
    """

    node: fx.Node
    arguments: Mapping[str, Any]
    active: frozenset[fx.Node]
    constants: Mapping[fx.Node, Tensor]

    @property
    def operator(self) -> OpOverload:
        assert isinstance(self.node.target, OpOverload)
        return self.node.target

    def is_active(self, name: str) -> bool:
        """Whether the argument depends on the input."""
        value = self.arguments.get(name)
        return isinstance(value, fx.Node) and value in self.active

    def is_constant(self, name: str) -> bool:
        """Whether the argument is a tensor whose value is known when compiling."""
        value = self.arguments.get(name)
        return isinstance(value, fx.Node) and value in self.constants

    def constant(self, name: str) -> Tensor | None:
        """The argument's value, None where the argument is None."""
        value = self.arguments[name]
        return None if value is None else self.constants[value]


@dataclass(frozen=True)
class Application:
    """One evaluation ``y = g(a_1 … a_k)`` of an operator, as a formula sees it, eager or traced.

    Attributes:
        function: ``g``, as a function of the active operands alone.
        operands: The values ``a_1 … a_k``.
        output: ``y``.
        arguments: The call's other arguments (and the operands), by the names of the operator's schema.
    """

    function: Callable[..., Tensor]
    operands: tuple[Tensor, ...]
    output: Tensor
    arguments: Mapping[str, Any]


Formula = Callable[[Application], Tensor]
"""Maps an application to its bias ``b_g``, which broadcasts to ``y``; called without gradients, which it may enable."""


@dataclass(frozen=True)
class Homogeneous:
    """``J a = k y`` (Euler), so the bias is ``(1 − k) y``: none for k = 1."""

    degree: float


@dataclass(frozen=True)
class Explicit:
    """The bias is a constant of the model: it becomes an input, with the trained value as default.

    Attributes:
        default: The trained value.
        rebuild: Builds ``y`` in a graph from the node of the bias input.
        suffix: What is appended to the layer's name to name the term, e.g. ``".bias"``.
        channel_axis: The axis of ``y`` that a one-dimensional bias runs along; None for the trailing axes.
    """

    default: Tensor
    rebuild: Callable[[fx.Graph, fx.Node], fx.Node]
    suffix: str = ""
    channel_axis: int | None = None


@dataclass(frozen=True)
class Implicit:
    """The bias is ``factor`` times what ``formula`` computes of a call; an offset of zero marks its place.

    It depends on the input, unless the operator is ``affine``: then it is made of the model's parameters alone.
    """

    formula: Formula
    factor: float = 1.0
    affine: bool = False


Bias = Homogeneous | Explicit | Implicit


@dataclass(frozen=True)
class BiasRule:
    """A row of the table.

    Attributes:
        kind: The family, as sites and metadata name it, e.g. ``"convolution"``.
        bias: Says what the bias of a call is.
        formula: The same in one line for readers, ``"how it is obtained: its value"``.
    """

    kind: str
    bias: Callable[[BiasCall], Bias]
    formula: str
