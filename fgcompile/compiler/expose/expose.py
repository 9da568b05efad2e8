"""The second stage: every bias term of the graph becomes an explicit input, ``f(x, b_1 … b_L)``.

A bias that is a constant of the model becomes an input with the trained value as default. A bias that depends on the
input is marked by an offset, an input that is added to the operator's output and is zero by default; a formula says
what the bias is. With all inputs at their defaults the rewritten graph equals the model.
"""

from __future__ import annotations

import dataclasses
import operator
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx

from fgcompile.compiler.biases import (
    COMPLEX,
    FALLBACK,
    LOOKUP,
    Application,
    Bias,
    BiasCall,
    BiasRule,
    Explicit,
    Homogeneous,
    Implicit,
    bias_table,
)
from fgcompile.compiler.expose.layouts import find_layouts
from fgcompile.compiler.expose.layouts.pattern import batch_in_front
from fgcompile.compiler.ir.activity import is_active, is_lookup
from fgcompile.compiler.ir.annotations import is_linear
from fgcompile.compiler.ir.graphs import copy_graph, fake, propagate_shapes
from fgcompile.compiler.ir.nodes import bind, free_name, is_random, layer_name
from fgcompile.compiler.ir.programs import BiasedProgram, BiasTerm, CapturedProgram, ImplicitBias, Placement, Site
from fgcompile.compiler.ir.runner import tidy
from fgcompile.compiler.ir.sizes import describe, dimension_names
from fgcompile.compiler.ir.torch_internals import OpOverload

aten = torch.ops.aten


def expose(captured: CapturedProgram, layouts: Mapping[str, str] | None = None) -> BiasedProgram:
    """Rewrites a captured graph so that every bias term is an input, and lists the sites.

    The captured program is left as it is. Nodes that do not depend on a floating-point input or on the embedding of an
    integer one, or do not lead to an output, have no site.

    Args:
        captured: The captured program.
        layouts: Layouts by hand, by the name of an input or site (``*`` and ``?`` match others), in the language of
            ``fgcompile.compiler.expose.layouts.pattern``, or ``"none"``.

    Raises:
        InputError: A layout does not fit.
    """
    exposure = _Exposure(copy_graph(captured.graph_module), captured.inputs)
    exposure.run()
    exposure.lay_out(as_captured(layouts or {}, captured))
    return BiasedProgram(
        graph_module=exposure.graph_module,
        inputs=captured.inputs,
        biases=exposure.biases,
        sites=tuple(exposure.sites),
        implicit=exposure.implicit,
        sources=tuple(exposure.sources),
        maps=exposure.maps,
        output_spec=captured.output_spec,
        name=captured.name,
        score_inputs=captured.score_inputs,
        scored=captured.scored,
        names=captured.names,
        batch_axes=captured.batch_axes,
        output_constants=captured.output_constants,
        other_below=captured.other_below,
    )


def as_captured(layouts: Mapping[str, str], captured: CapturedProgram | BiasedProgram) -> dict[str, str]:
    """The layouts with the captured names of the inputs, and with the batch in front as the captured graph has it."""
    own = dict(zip(captured.names, captured.inputs, strict=False))
    moved = {name for name, axis in zip(captured.inputs, captured.batch_axes, strict=False) if axis}
    named = {own.get(name, name): layout for name, layout in layouts.items()}
    return {name: batch_in_front(layout) if name in moved else layout for name, layout in named.items()}


@dataclass
class _Exposure:
    """The state of one rewrite."""

    graph_module: fx.GraphModule
    inputs: tuple[str, ...]
    biases: dict[str, Tensor] = field(default_factory=dict)
    sites: list[Site] = field(default_factory=list)
    implicit: dict[str, ImplicitBias] = field(default_factory=dict)
    sources: list[str] = field(default_factory=list)
    maps: tuple[Placement, ...] = ()
    active: set[fx.Node] = field(default_factory=set)
    constants: dict[fx.Node, Tensor] = field(default_factory=dict)
    names: Counter[str] = field(default_factory=Counter)

    @property
    def graph(self) -> fx.Graph:
        return self.graph_module.graph

    def run(self) -> None:
        table = bias_table()
        self.graph.eliminate_dead_code()
        placeholders = self.graph.find_nodes(op="placeholder")
        # Known from here on, not asked of the graph for every bias: an unrolled network has thousands of them.
        self.last_placeholder, self.mode = placeholders[-1], placeholders[0].meta["val"].fake_mode
        self.taken = {str(node.target) for node in placeholders}
        for node in list(self.graph.nodes):
            self._visit(node, table)
        tidy(self.graph_module)
        propagate_shapes(self.graph_module)

    def lay_out(self, layouts: Mapping[str, str]) -> None:
        """Completes the sites by their shapes, and by how their axes lie over the inputs."""
        inputs = self.graph.find_nodes(op="placeholder")[: len(self.inputs)]
        nodes = {node.name: node for node in self.graph.nodes}
        dimensions = dimension_names([node.meta["val"] for node in inputs])
        described = [
            dataclasses.replace(site, shape=describe(nodes[site.node].meta["val"], dimensions)) for site in self.sites
        ]
        self.maps, placed = find_layouts(self.graph, inputs, described, self.constants, layouts)
        self.sites = list(placed)

    def _visit(self, node: fx.Node, table: Mapping[OpOverload, BiasRule]) -> None:
        if is_active(node, self.active):
            self.active.add(node)
        if node.op == "get_attr":
            self.constants[node] = getattr(self.graph_module, str(node.target))
        elif node.op == "call_function":
            # Three kinds of calls: of activations; of constants alone, evaluated once here so that a rule can ask for
            # their values; and tables read at an input's integers, where the gradient ends and a source begins.
            if node in self.active:
                self._expose(node, table)
            elif all(source in self.constants for source in node.all_input_nodes) and not is_random(node):
                self.constants[node] = _evaluate(node, self.constants)
            elif is_lookup(node, self.constants):
                self.active.add(node)
                self._expose(node, {node.target: LOOKUP})
                self.sources.append(next(reversed(self.biases)))

    def _expose(self, node: fx.Node, table: Mapping[Any, BiasRule]) -> None:
        # An operator with several outputs (split, topk, a normalisation) has no bias of its own: each output that is
        # picked has, so that offsets are added where one tensor is. What is not an ATen operator (a size) has none.
        picked = node.target is operator.getitem
        source = node.args[0] if picked else node
        assert isinstance(source, fx.Node)
        if not picked and isinstance(node.meta["val"], tuple | list):
            return  # the outputs are visited where they are picked
        if not isinstance(source.target, OpOverload) or is_linear(source):
            return
        rule = table.get(source.target) or COMPLEX.get(source.target, FALLBACK)
        call = BiasCall(source, bind(source), frozenset(self.active), self.constants)
        bias = rule.bias(call)
        if isinstance(bias, Homogeneous) and bias.degree == 1:
            return
        layer = layer_name(source)
        self.names[layer] += 1
        name = layer if self.names[layer] == 1 else f"{layer}:{self.names[layer]}"
        if isinstance(bias, Explicit):
            self._insert_input(node, bias, name, rule.kind)
        else:
            self._insert_offset(node, bias, name, rule.kind)

    def _insert_input(self, node: fx.Node, bias: Explicit, name: str, kind: str) -> None:
        term = free_name(name + bias.suffix, self.biases)
        placeholder = self._placeholder(term, bias.default)
        # What is rebuilt may be several nodes. Put behind a node one by one they would stand in reverse; put before a
        # marker that stands behind it, they keep their order.
        with self.graph.inserting_after(node):
            marker = self.graph.call_function(aten.alias.default, (node,))
        with self.graph.inserting_before(marker):
            rebuilt = bias.rebuild(self.graph, placeholder)
        marker.replace_all_uses_with(rebuilt)
        node.replace_all_uses_with(rebuilt, delete_user_cb=lambda user: user is not marker)
        self.graph.erase_node(marker)
        rebuilt.meta = {**node.meta}
        self.active.add(rebuilt)
        self.sites.append(Site(name, kind, rebuilt.name, (), "none", (BiasTerm(term, kind, term, bias.channel_axis),)))

    def _insert_offset(self, node: fx.Node, bias: Bias, name: str, kind: str) -> None:
        if isinstance(bias, Homogeneous):
            bias = Implicit(_output, 1 - bias.degree)
        assert isinstance(bias, Implicit)
        placeholder = self._placeholder(
            free_name(f"{name}.offset", self.biases), torch.zeros((), dtype=node.meta["val"].dtype)
        )
        with self.graph.inserting_after(node):
            shifted = self.graph.call_function(aten.add.Tensor, (node, placeholder))
        node.replace_all_uses_with(shifted, delete_user_cb=lambda user: user is not shifted)
        shifted.meta = {**node.meta}
        self.active.add(shifted)
        term = BiasTerm(name, kind, affine=bias.affine)
        self.sites.append(Site(name, kind, shifted.name, (), "none", (term,)))
        self.implicit[name] = ImplicitBias(node.name, bias.formula, bias.factor)

    def _placeholder(self, term: str, default: Tensor) -> fx.Node:
        name = free_name(re.sub(r"\W", "_", f"bias_{term}"), self.taken)
        with self.graph.inserting_after(self.last_placeholder):
            node = self.graph.placeholder(name)
        self.last_placeholder = node
        self.taken.add(name)
        self.biases[term] = default.detach()
        node.meta["val"] = fake(self.biases[term], self.mode)
        return node


def _output(application: Application) -> Tensor:
    return application.output


def _evaluate(node: fx.Node, constants: Mapping[fx.Node, Tensor]) -> Any:
    """The value of a node all of whose inputs are constants."""
    args = fx.map_arg(node.args, lambda n: constants[n])
    kwargs = fx.map_arg(node.kwargs, lambda n: constants[n])
    assert callable(node.target)
    with torch.no_grad():
        return node.target(*args, **kwargs)
