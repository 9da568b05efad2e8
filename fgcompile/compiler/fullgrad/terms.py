"""The values of a full-gradient: terms, sites, and what stands in for constants while tracing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import SymInt, Tensor

from fgcompile.compiler.fullgrad.arrangement import Orders
from fgcompile.compiler.fullgrad.size_watch import SizeWatch
from fgcompile.compiler.ir.batch_axes import put_back
from fgcompile.compiler.ir.complex_numbers import inner_product
from fgcompile.compiler.ir.programs import Placement, Site
from fgcompile.compiler.ir.torch_internals import pytree


@dataclass(frozen=True)
class TermValue:
    """One term ``δ ⊙ b`` by its factors.

    Attributes:
        name: The term's name.
        gradient: ``δ``, the shape of the site's output.
        bias: ``b``, which broadcasts to ``δ`` once ``channel_axis`` is respected; None for a term that is ``δ`` alone.
        channel_axis: The axis of ``δ`` that a one-dimensional ``b`` runs along, None for the trailing axes.
        factor: A number, not 0, that ``b`` is still to be multiplied by: what follows is cheaper on smaller tensors.
    """

    name: str
    gradient: Tensor
    bias: Tensor | None
    channel_axis: int | None = None
    factor: float = 1.0

    def product(self) -> Tensor:
        """``δ ⊙ b``, the shape of ``δ``."""
        return self.scaled(self.without_factor())

    def scaled(self, value: Tensor) -> Tensor:
        """A value that is linear in ``δ ⊙ b``, made of the one without the factor."""
        return value if self.factor == 1 else value * self.factor

    def without_factor(self) -> Tensor:
        """``δ ⊙ b / factor``, the shape of ``δ``."""
        if self.bias is None:
            return self.gradient
        bias = self.bias
        if self.channel_axis is not None:
            bias = bias.reshape(-1, *[1] * (self.gradient.ndim - self.channel_axis - 1))
        return inner_product(self.gradient, bias)


@dataclass(frozen=True)
class SiteValue:
    """A site and the values of its terms."""

    site: Site
    terms: tuple[TermValue, ...]


@dataclass(frozen=True)
class FullGradient:
    """The full-gradient of a score, in factors.

    Attributes:
        output: The model's output, in its own structure.
        score: ``f(x)``, ``(N,)``.
        input_gradients: ``∂f/∂x`` of each floating-point input, by its name.
        input_terms: Its factors ``∂f/∂x`` and ``x``.
        sites: The values of every site on a path to the score.
        maps: How each input that has a map lies over it.
        orders: The index tensors of the placements' orders.
        batch_axes: Where the user has the batch of each input that has it elsewhere than in front, by its name.
        sizes: What each symbol of the program's sizes is for these inputs.
    """

    output: Any
    score: Tensor
    input_gradients: Mapping[str, Tensor]
    input_terms: tuple[TermValue, ...]
    sites: tuple[SiteValue, ...]
    maps: tuple[Placement, ...]
    orders: Orders
    batch_axes: Mapping[str, int] = field(default_factory=dict)
    sizes: Mapping[Any, int | SymInt] = field(default_factory=dict)

    def returned_gradients(self) -> dict[str, Tensor]:
        """``∂f/∂x`` of each floating-point input as the user has it, its batch on the same axis."""
        return {name: put_back(value, self.batch_axes.get(name, 0)) for name, value in self.input_gradients.items()}


@dataclass(frozen=True)
class StandIns:
    """What takes the place of constants while tracing.

    Attributes:
        biases: Values of the bias inputs.
        attributes: Values of the graph module's attributes.
        orders: Index tensors of the placements' orders.
        noise: Of ``smooth_fullgrad``, by the input's name.
        watch: Whom to tell which operator is being traced.
    """

    biases: Mapping[str, Tensor]
    attributes: Mapping[str, Tensor]
    orders: Orders
    noise: Mapping[str, Tensor]
    watch: SizeWatch


def detached(values: Any) -> Any:
    """The tensors of any structure without what autograd knows of them."""
    return pytree.tree_map_only(Tensor, lambda tensor: tensor.detach(), values)
