"""One call that is about to be replaced, as a rewrite sees it: its arguments, and how to write nodes in its place."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import fx

from fgcompile.compiler.ir.graphs import insert_call
from fgcompile.compiler.ir.nodes import bind
from fgcompile.compiler.ir.torch_internals import OpOverload, schema_of

aten = torch.ops.aten


@dataclass(frozen=True)
class Rewriting:
    """A call of an operator that a gradient flows back through.

    Attributes:
        graph_module: The module whose graph is rewritten.
        node: The call.
        place: The node to write before: the call, or where it has several outputs the ``getitem`` that picks the first.
        active: The nodes that carry a gradient.
        weights: Those of them that are gates or weights, see ``fgcompile.compiler.rules.weights``.
        written: The nodes that were written, in order.
    """

    graph_module: fx.GraphModule
    node: fx.Node
    place: fx.Node
    active: Container[fx.Node]
    weights: Container[fx.Node]
    written: list[fx.Node] = field(default_factory=list)

    @cached_property
    def arguments(self) -> Mapping[str, Any]:
        """The call's arguments by the names of the operator's schema, defaults included."""
        return bind(self.node)

    @property
    def operator(self) -> OpOverload:
        """The operator that is called."""
        assert isinstance(self.node.target, OpOverload)
        return self.node.target

    def is_active(self, name: str) -> bool:
        """Whether the argument carries a gradient."""
        return self.arguments[name] in self.active

    def call(self, operator: OpOverload, *args: Any, **kwargs: Any) -> fx.Node:
        """A new node, which belongs to the layer that is rewritten."""
        node = insert_call(self.place, self.node, operator, *args, **kwargs)
        self.written.append(node)
        return node

    def repeat(self, name: str, value: fx.Node | None) -> fx.Node:
        """The call once more, with one argument changed."""
        arguments = {**self.arguments, name: value}
        schema = schema_of(self.operator).arguments
        args = [arguments[argument.name] for argument in schema if not argument.kwarg_only]
        kwargs = {argument.name: arguments[argument.name] for argument in schema if argument.kwarg_only}
        return self.call(self.operator, *args, **kwargs)

    def detached(self, name: str) -> fx.Node:
        """The argument as a constant for the gradient."""
        return self.call(aten.detach.default, self.arguments[name])

    def sizes(self, value: fx.Node) -> list[int | fx.Node]:
        """The shape of a value, its dynamic dimensions as nodes."""
        return [
            size if isinstance(size, int) else self.call(aten.sym_size.int, value, axis)
            for axis, size in enumerate(value.meta["val"].shape)
        ]


Rewrite = Callable[[Rewriting], fx.Node | None]
"""Writes what replaces a call and returns its result; None where the call stays as it is."""
