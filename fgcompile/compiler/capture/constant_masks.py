"""Masks that no input changes become the integers that they stand for, so that what they choose has a fixed shape.

    y[:, mask]             →  y[:, i]            for the places i where the mask is true
    y[:, mask] = v         →  y[:, i] = v
    nonzero(mask)          →  i
    masked_scatter(y, …)   →  y[:, i] = v        where v has as many values a sample as the mask chooses

They are evaluated from buffers, literals and fixed sizes, in the order of the graph, since a mask may be written into.
"""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch import Tensor, fx
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind

from fgcompile.compiler.capture.constants import Constants
from fgcompile.compiler.ir.graphs import insert_call
from fgcompile.compiler.ir.nodes import bind, is_random
from fgcompile.compiler.ir.sizes import is_fixed, same_size
from fgcompile.compiler.ir.torch_internals import OpOverload, schema_of, without_modes

aten = torch.ops.aten

PUTS = (aten.index_put_.default, aten.index_put.default)
SCATTERS = (aten.masked_scatter_.default, aten.masked_scatter.default)
PLACES = (aten.nonzero.default, aten.nonzero_numpy.default, aten.where.default)
CHOOSING = (aten.index.Tensor, *PUTS, *SCATTERS, *PLACES)

LARGEST = 1 << 20
"""How many elements a constant has that a mask may be made of."""


class ConstantMasks:
    """Rewrites a copy of an exported program's graph, and adds the places that it finds to the constants."""

    def __init__(self, exported: ExportedProgram, graph: fx.Graph, constants: Constants) -> None:
        self.exported, self.graph, self.constants = exported, graph, constants
        self.known = _Known()

    def rewrite(self) -> None:
        """Replaces every mask that is known."""
        if not any(node.target in CHOOSING for node in self.graph.nodes):
            return
        self.known.begin(self.exported, self.graph)
        for node in self.graph.nodes:
            if node.op != "call_function":
                continue
            if node.target in PLACES and (mask := self.known.of(node.args[0])) is not None:
                self._places(node, mask)
                continue
            if node.target in SCATTERS:
                self._scatter(node, self.known.of(node.args[1]))
            elif node.target in CHOOSING and node.target not in PLACES:
                self._index(node)
            self.known.follow(node)

    def _places(self, node: fx.Node, mask: Tensor) -> None:
        places = mask.nonzero()
        if node.target is aten.nonzero.default:
            node.replace_all_uses_with(self._constant(places))
        else:
            for picked in list(node.users):
                assert picked.target is operator.getitem
                column = places[:, picked.args[1]]  # type: ignore[index]
                picked.replace_all_uses_with(self._constant(column))
                self.graph.erase_node(picked)
        self.graph.erase_node(node)

    def _index(self, node: fx.Node) -> None:
        indices: Any = node.args[1]
        masks = {at: self.known.of(index) for at, index in enumerate(indices) if _is_mask(index)}
        if not masks or any(mask is None for mask in masks.values()):
            return
        if node.target in PUTS and len(masks) == sum(index is not None for index in indices) == 1:
            ((at, mask),) = masks.items()
            if self._is_choice(node, at, mask):  # type: ignore[arg-type]
                return
        replaced: list[Any] = []
        for at, index in enumerate(indices):
            mask = masks.get(at)
            replaced += [index] if mask is None else [self._constant(column) for column in mask.nonzero().T]
        node.update_arg(1, replaced)
        node.meta.pop("unbacked_bindings", None)

    @staticmethod
    def _is_choice(node: fx.Node, at: int, mask: Tensor) -> bool:
        """Whether one value is written at all places, which is a choice by the mask itself."""
        arguments = bind(node)
        shape = arguments["values"].meta["val"].shape
        behind = arguments["self"].meta["val"].dim() - at - mask.dim()
        front = shape[: max(len(shape) - behind, 0)]
        return not arguments["accumulate"] and all(isinstance(size, int) and size == 1 for size in front)

    def _scatter(self, node: fx.Node, mask: Tensor | None) -> None:
        own, _, values = (value if isinstance(value, fx.Node) else None for value in node.args)
        if mask is None or own is None or values is None:
            return
        shape, given = own.meta["val"].shape, values.meta["val"].shape
        fixed = all(is_fixed(size) for size in [*shape[1:], *given[1:]]) and same_size(shape[0], given[0])
        if not fixed or mask.dim() > len(shape) or (mask.dim() == len(shape) and mask.shape[0] != 1):
            return
        chosen = mask.expand([1, *map(int, shape[1:])])[0]
        places = chosen.nonzero().T
        if values.meta["val"][0].numel() != places.shape[1]:
            return  # what is left over would go to the next sample
        samples = insert_call(node, node, aten.sym_size.int, values, 0)
        flat = insert_call(node, node, aten.reshape.default, values, [samples, places.shape[1]])
        indices = [None, *(self._constant(column) for column in places)]
        node.target = PUTS[SCATTERS.index(node.target)]
        node.args = (own, indices, flat)

    def _constant(self, value: Tensor) -> fx.Node:
        placeholder = self.constants.add("places", value.contiguous())
        self.known.values[placeholder] = value.contiguous()
        return placeholder


def _is_mask(index: Any) -> bool:
    return index is not None and index.meta["val"].dtype == torch.bool


class _Known:
    """The values of those nodes that no input changes, as far as the graph was followed."""

    def __init__(self) -> None:
        self.values: dict[fx.Node, Any] = {}

    def begin(self, exported: ExportedProgram, graph: fx.Graph) -> None:
        """Takes what the program stores."""
        stored = {**exported.state_dict, **exported.constants}
        kinds = (InputKind.PARAMETER, InputKind.BUFFER, InputKind.CONSTANT_TENSOR)
        own = {spec.arg.name: spec.target for spec in exported.graph_signature.input_specs if spec.kind in kinds}
        for node in graph.find_nodes(op="placeholder"):
            value = stored.get(own.get(node.name))
            if isinstance(value, Tensor) and value.numel() <= LARGEST:
                self.values[node] = value.detach().clone()  # it may be written into

    def of(self, node: Any) -> Tensor | None:
        value = self.values.get(node) if isinstance(node, fx.Node) else None
        return value if isinstance(value, Tensor) else None

    def follow(self, node: fx.Node) -> None:
        """Evaluates a node of known operands; what is written into by anything else is known no longer."""
        if node.op != "call_function":
            return
        known = all(source in self.values for source in node.all_input_nodes)
        if known and self._is_small(node) and not is_random(node):
            args, kwargs = fx.map_arg((node.args, node.kwargs), self.values.__getitem__)
            with without_modes(), torch.no_grad():
                self.values[node] = node.target(*args, **kwargs)  # type: ignore[operator]
            return
        if isinstance(node.target, OpOverload) and schema_of(node.target).is_mutable:
            written = [self.of(source) for source in node.all_input_nodes]
            storages = {value.untyped_storage().data_ptr() for value in written if value is not None}
            self.values = {
                of: value
                for of, value in self.values.items()
                if not isinstance(value, Tensor) or value.untyped_storage().data_ptr() not in storages
            }

    @staticmethod
    def _is_small(node: fx.Node) -> bool:
        value = node.meta.get("val")
        if isinstance(value, Tensor):
            return all(is_fixed(size) for size in value.shape) and value.numel() <= LARGEST
        return isinstance(value, tuple | list)
