"""A complex value as two nodes, and the calls that compute with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from fgcompile.compiler.ir.graphs import fake, fake_mode, insert_call
from fgcompile.compiler.ir.nodes import free_name
from fgcompile.compiler.ir.sizes import same_size

aten = torch.ops.aten


@dataclass(frozen=True)
class Pair:
    """The real and the imaginary part of a complex value."""

    real: fx.Node
    imag: fx.Node


Operand = Pair | fx.Node | complex
"""What complex numbers are computed with: also a real tensor, and a number."""


@dataclass(frozen=True)
class Calls:
    """Writes calls in front of a node of complex numbers, for its layer."""

    node: fx.Node

    def __call__(self, operator: Any, *args: Any, **kwargs: Any) -> fx.Node:
        return insert_call(self.node, self.node, operator, *args, **kwargs)

    def constant(self, name: str, value: Tensor) -> fx.Node:
        """A new buffer of the graph's."""
        graph_module = self.node.graph.owning_module
        assert graph_module is not None
        name = free_name(name, dict(graph_module.named_buffers()))
        graph_module.register_buffer(name, value)
        with self.node.graph.inserting_before(self.node):
            node = self.node.graph.get_attr(name)
        node.meta["val"] = fake(value, fake_mode(self.node.graph))
        return node

    def pair(self, value: Operand) -> Pair:
        """What is real, with an imaginary part of zeros."""
        assert not isinstance(value, complex)
        return value if isinstance(value, Pair) else Pair(value, self(aten.full_like.default, value, 0))

    def add(self, a: fx.Node, b: fx.Node | float, sign: int = 1) -> fx.Node:
        return self(aten.add.Tensor if sign == 1 else aten.sub.Tensor, a, b)

    def multiply(self, a: fx.Node, b: fx.Node | float) -> fx.Node:
        return self(aten.mul.Tensor, a, b)

    def sum(self, a: Operand, b: Operand, sign: int) -> Pair:
        """``a ± b``."""
        if isinstance(a, complex):  # a number in front of a difference
            b = self.pair(b)
            negated = Pair(self(aten.neg.default, b.real), self(aten.neg.default, b.imag))
            return self.sum(negated if sign < 0 else b, a, 1)
        if isinstance(b, complex):
            a = self.pair(a)
            return Pair(self.add(a.real, b.real, sign), self.add(a.imag, b.imag, sign) if b.imag else a.imag)
        if isinstance(a, Pair) and isinstance(b, fx.Node):
            return Pair(self.add(a.real, b, sign), self.spread(a.imag, b))
        a, b = self.pair(a), self.pair(b)
        return Pair(self.add(a.real, b.real, sign), self.add(a.imag, b.imag, sign))

    def product(self, a: Operand, b: Operand) -> Pair:
        """``a b``."""
        if isinstance(a, complex) or (isinstance(a, fx.Node) and isinstance(b, Pair)):
            a, b = b, a
        if isinstance(a, fx.Node):
            assert isinstance(b, complex)
            return Pair(self.multiply(a, b.real), self.multiply(a, b.imag))
        assert isinstance(a, Pair)
        if isinstance(b, complex):
            if not b.imag:
                return self.scaled(a, b.real)
            crossed = self.add(self.multiply(a.real, b.imag), self.multiply(a.imag, b.real))
            return Pair(self.add(self.multiply(a.real, b.real), self.multiply(a.imag, b.imag), -1), crossed)
        return self.scaled(a, b) if isinstance(b, fx.Node) else self.bilinear(self.multiply, a, b)

    def scaled(self, a: Pair, factor: fx.Node | float) -> Pair:
        """A pair times what is real."""
        return Pair(self.multiply(a.real, factor), self.multiply(a.imag, factor))

    def bilinear(self, multiply: Any, a: Pair, b: Pair) -> Pair:
        """``(a c − b d, a d + b c)`` by any product."""
        real = self.add(multiply(a.real, b.real), multiply(a.imag, b.imag), -1)
        return Pair(real, self.add(multiply(a.real, b.imag), multiply(a.imag, b.real)))

    def quotient(self, a: Operand, b: Operand) -> Pair:
        """``a / b``."""
        if isinstance(b, complex):
            return self.product(a, 1 / b)
        if isinstance(b, fx.Node):
            a = self.pair(a)
            return Pair(self(aten.div.Tensor, a.real, b), self(aten.div.Tensor, a.imag, b))
        return self.product(a, self.reciprocal(b))

    def reciprocal(self, a: Pair) -> Pair:
        """``1 / a = ā / |a|²``."""
        square = self.add(self.multiply(a.real, a.real), self.multiply(a.imag, a.imag))
        parts = (a.real, self(aten.neg.default, a.imag))
        return Pair(*(self(aten.div.Tensor, part, square) for part in parts))

    def stacked(self, a: Pair) -> fx.Node:
        """``(…, 2)``."""
        last = len(a.real.meta["val"].shape)
        return self(aten.cat.default, [self(aten.unsqueeze.default, part, last) for part in (a.real, a.imag)], last)

    def magnitude(self, a: Pair) -> fx.Node:
        """``|a|``, whose derivative at 0 is 0."""
        return self(aten.linalg_vector_norm.default, self.stacked(a), 2, [-1])

    def angle(self, a: Pair) -> fx.Node:
        return self(aten.atan2.default, a.imag, a.real)

    def polar(self, magnitude: fx.Node, angle: fx.Node) -> Pair:
        """``r (cos φ, sin φ)``."""
        return Pair(*(self.multiply(magnitude, self(wave, angle)) for wave in (aten.cos.default, aten.sin.default)))

    def spread(self, value: fx.Node, other: fx.Node) -> fx.Node:
        """A value of the shape that it has beside another."""
        shape = self.node.meta["val"].shape
        own = value.meta["val"].shape
        if len(own) == len(shape) and all(map(same_size, own, shape)):
            return value
        return self.add(value, self(aten.full_like.default, other, 0))
