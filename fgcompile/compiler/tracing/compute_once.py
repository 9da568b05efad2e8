"""Several targets at once as rows of one batch: traced with a row for each, then with the model computed once a sample.

A graph is right for any batch. So T targets of N samples are N · T rows, of which each has its sample's input and a
target of its own; and what does not depend on the target is the same in all T rows of a sample, so that it is computed
for N samples and repeated where a gradient needs it:

    x (N) → model (N · T) → δ (N · T)      becomes      x (N) → model (N) → repeated → δ (N · T)

Why so, and what else was tried: ``docs/decisions/several-targets.md``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Container, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import SymInt, Tensor, fx

from fgcompile.artifact.names import TARGET
from fgcompile.compiler.ir.annotations import is_marked, marked
from fgcompile.compiler.ir.graphs import call_over_fakes, descendants
from fgcompile.compiler.ir.sizes import same_size
from fgcompile.compiler.tracing.sample_rows import SampleRows, sample_rows

aten = torch.ops.aten

ROWS, ASKED = "rows", "asked"
"""What is written on the nodes that make rows of a sample's input, and of its targets."""

ELEMENTWISE = (
    aten.mul.Tensor,
    aten.add.Tensor,
    aten.sub.Tensor,
    aten.div.Tensor,
    aten.where.self,
    aten.maximum.default,
    aten.minimum.default,
)
"""Operators that broadcast: what is the same in all rows of a sample is not repeated for them."""


def in_rows(value: Tensor, count: int | SymInt) -> Tensor:
    """An input ``(N, …)`` once for each target: ``(N · T, …)``, those of a sample one behind the other."""
    behind = value.shape[1:]
    with marked(ROWS):
        repeated = value.unsqueeze(1).expand(value.shape[0], count, *behind)
        return repeated.reshape(value.shape[0] * count, *behind)


def as_rows(targets: Tensor) -> Tensor:
    """The targets ``(N, T, …)`` as rows ``(N · T, …)``."""
    with marked(ASKED):
        return targets.flatten(0, 1)


def compute_once(graph_module: fx.GraphModule, predicted: Sequence[bool], count: int | str | None) -> fx.GraphModule:
    """A graph of rows with the model computed once for each sample.

    Args:
        graph_module: The traced graph.
        predicted: Of each of its outputs whether it is what the model returns: it then has a row for each sample.
        count: T; any number of them is that of the input ``target``.
    """
    return fx.GraphModule(graph_module, _Rewriting(graph_module.graph, predicted, count).graph)


class _Rewriting:
    """The new graph, in which a node of the old one has a value of samples, of rows, or of both.

    Attributes:
        graph: The new graph.
    """

    def __init__(self, old: fx.Graph, predicted: Sequence[bool], count: int | str | None) -> None:
        self.graph, self._fixed = fx.Graph(), count
        self._samples: dict[fx.Node, fx.Node] = {}
        self._rows: dict[fx.Node, fx.Node] = {}
        self._where: dict[fx.Node, SampleRows] = {}
        making = {node for node in old.nodes if is_marked(node, ROWS)}
        made = {node for node in making if _is_tensor(node) and making.isdisjoint(node.users)}
        self._old_rows = next(iter(made)).meta["val"].shape[0]
        self._old_samples = _source(next(iter(made)), making).meta["val"].shape[0]
        asked = descendants(node for node in old.nodes if is_marked(node, ASKED) and _is_tensor(node))
        same = descendants(made) - asked
        # What else is of rows is the number of them; that of samples may be twice another number by chance.
        of_rows = descendants([*made, *(node for node in old.nodes if is_marked(node, ROWS, ASKED))])
        for node in old.nodes:
            if node.op == "output":
                continue
            if isinstance(node.meta.get("val"), SymInt) and node in of_rows:
                self._size(node)
            elif node in made:
                self._samples[node] = self._samples[_source(node, making)]
                self._locate(self._samples[node])
            elif node in making:
                continue
            elif node in asked:
                self._rows[node] = self._broadcast(node) or self._copied(node, self._row)
            else:
                self._samples[node] = self._copied(node, self._sample)
                if node not in same:
                    self._rows[node] = self._samples[node]
                elif not self._locate(self._samples[node]):
                    self._rows[node] = self._copied(node, self._row)
        results: Any = old.output_node().args[0]
        chosen = [self._sample if alone else self._row for alone in predicted]
        self.graph.output(tuple(of(value) for of, value in zip(chosen, results, strict=True)))
        self.graph.eliminate_dead_code()
        self.graph.lint()

    def _sample(self, node: fx.Node) -> fx.Node:
        return self._samples[node]

    def _row(self, node: fx.Node) -> fx.Node:
        """A node's value of rows; one that is the same in all rows of a sample is repeated for them."""
        if node not in self._rows:
            self._rows[node] = self._repeated(self._samples[node], self._where[self._samples[node]])
        return self._rows[node]

    def _repeated(self, value: fx.Node, where: SampleRows) -> fx.Node:
        """``(…, N, …)`` as ``(…, N T, …)``; what is of a sample, in front or behind, stays where it is."""
        axis, own, sizes = where.axis, where.factor, self._behind(value, 0)
        before, behind = sizes[:axis], sizes[axis + 1 :]
        if own > 1:
            parts = [-1, own] if where.outermost else [own, -1]
            value = self._call(value, aten.reshape.default, value, [*before, *parts, *behind])
        samples = axis if where.outermost else axis + (own > 1)
        between = self._call(value, aten.unsqueeze.default, value, samples + 1)
        rank = between.meta["val"].ndim
        repeats = [self._count if number == samples + 1 else -1 for number in range(rank)]
        repeated = self._call(value, aten.expand.default, between, repeats)
        return self._call(value, aten.reshape.default, repeated, [*before, -1, *behind])

    def _broadcast(self, node: fx.Node) -> fx.Node | None:
        """An elementwise operator on ``(N, T, …)``, for which what each sample has once need not be repeated."""
        if node.target not in ELEMENTWISE or node.meta["val"].ndim < 2:
            return None
        rank, kinds = node.meta["val"].ndim, {}
        for source in node.all_input_nodes:
            value = source.meta["val"]
            if source in self._samples and self._axis(source) == 0 and value.ndim == rank:
                kinds[source] = self._call(source, aten.unsqueeze.default, self._samples[source], 1)
            elif source not in self._samples and same_size(value.shape[0], self._old_rows) and value.ndim == rank:
                kinds[source] = self._split(self._rows[source])
            elif source in self._samples and self._samples[source] is self._rows.get(source) and value.ndim < rank:
                kinds[source] = self._samples[source]
            else:
                return None
        if not any(source in self._samples and self._axis(source) == 0 for source in kinds):
            return None
        new = self._copied(node, kinds.__getitem__)
        return self._call(node, aten.reshape.default, new, [-1, *self._behind(new, 2)])

    def _split(self, value: fx.Node) -> fx.Node:
        return self._call(value, aten.reshape.default, value, [-1, self._count, *self._behind(value, 1)])

    def _behind(self, value: fx.Node, axis: int) -> list[int | fx.Node]:
        """The sizes of a value from an axis on."""
        return [
            size if isinstance(size, int) else self._call(value, aten.sym_size.int, value, number)
            for number, size in enumerate(value.meta["val"].shape)
            if number >= axis
        ]

    def _axis(self, node: fx.Node) -> int | None:
        """The axis of a value's samples, where these have one of their own."""
        where = self._where.get(self._samples[node])
        return where.axis if where is not None and where.factor == 1 else None

    def _locate(self, node: fx.Node) -> bool:
        """Finds where a value has its samples, if it can be told."""
        where = sample_rows(node, self._old_samples, self._where)
        if where is not None:
            self._where[node] = where
        return where is not None

    def _size(self, node: fx.Node) -> None:
        """The number of rows is that of samples in what is computed for these, and so is a multiple of it."""
        value = node.meta["val"]
        if same_size(value, self._old_rows):
            self._samples[node], self._rows[node] = self._number_of_samples, self._number_of_rows
        elif same_size(value, self._old_samples):
            self._samples[node] = self._rows[node] = self._number_of_samples
        elif any(source not in self._samples for source in node.all_input_nodes):  # of a gradient
            self._rows[node] = self._copied(node, self._row)
        else:
            self._samples[node] = small = self._copied(node, self._sample)
            same = same_size(small.meta["val"], value)
            self._rows[node] = small if same else self._call(node, operator.mul, small, self._count)

    @cached_property
    def _number_of_samples(self) -> fx.Node:
        found = (
            (placeholder, axis)
            for placeholder in self.graph.find_nodes(op="placeholder")
            for axis, size in enumerate(placeholder.meta["val"].shape)
            if same_size(size, self._old_samples)
        )
        placeholder, axis = next(found)
        return self._call(placeholder, aten.sym_size.int, placeholder, axis)

    @cached_property
    def _count(self) -> int | fx.Node:
        """The number of targets."""
        if isinstance(self._fixed, int):
            return self._fixed
        (target,) = (node for node in self.graph.find_nodes(op="placeholder") if node.target == TARGET)
        return self._call(target, aten.sym_size.int, target, 1)

    @cached_property
    def _number_of_rows(self) -> fx.Node:
        return self._call(self._number_of_samples, operator.mul, self._number_of_samples, self._count)

    def _copied(self, node: fx.Node, of: Callable[[fx.Node], fx.Node]) -> fx.Node:
        new = self.graph.node_copy(node, of)
        new.meta = {**node.meta}
        if node.op == "call_function":
            new.meta["val"] = call_over_fakes(new)
        return new

    def _call(self, like: fx.Node, target: Callable[..., Any], *args: Any) -> fx.Node:
        node = self.graph.call_function(target, args)
        node.meta = {**like.meta}
        node.meta["val"] = call_over_fakes(node)
        return node


def _is_tensor(node: fx.Node) -> bool:
    return isinstance(node.meta.get("val"), Tensor)


def _source(node: fx.Node, making: Container[fx.Node]) -> fx.Node:
    """The value that rows are made of."""
    while node in making:
        (node,) = (source for source in node.all_input_nodes if _is_tensor(source))
    return node
