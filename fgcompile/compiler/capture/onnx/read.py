"""An ``.onnx`` file as a module. Nothing of the file is run, and no weight is read from outside its folder."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
from onnx_ir.passes.common import RemoveUnusedNodesPass
from onnx_ir.traversal import RecursiveGraphIterator

from fgcompile.compiler.capture.class_names import names_in_properties
from fgcompile.compiler.capture.onnx.bytes import real_bytes
from fgcompile.compiler.capture.onnx.classes import class_names, is_text, unmapped
from fgcompile.compiler.capture.onnx.explained import choose_explained
from fgcompile.compiler.capture.onnx.facts import input_fact
from fgcompile.compiler.capture.onnx.graph import Missing, title
from fgcompile.compiler.capture.onnx.indices import count_from_front
from fgcompile.compiler.capture.onnx.loading import load_model, state_of
from fgcompile.compiler.capture.onnx.model import OnnxModel
from fgcompile.compiler.capture.onnx.tables import dequantised_tables
from fgcompile.compiler.capture.onnx.upgrade import inlined, upgraded
from fgcompile.compiler.capture.onnx.whole import made_whole
from fgcompile.errors import InputError, SourceError, UnsupportedOpError


def read_onnx(
    path: Path,
    output: str | int | None = None,
    fixed: Mapping[str, Any] | None = None,
    *,
    logits: bool = True,
    others: bool = False,
) -> OnnxModel:
    """The model of a file.

    Args:
        path: The file.
        output: Which tensor is explained, see ``choose_explained``.
        fixed: Inputs that are constants, by name: numbers.
        logits: Whether what is read is to be explained: logits are meant where the only output is a softmax or sigmoid
            of them, and there is an input; else it is the file as it is.
        others: Whether the model returns the file's other outputs too.

    Raises:
        InputError: ``fixed`` has a name that is no input.
        SourceError: It is no ONNX file, or not one that can be read, or it has no such output.
        UnsupportedOpError: It has operators that are no row of the table; names all of them.
    """
    state = state_of(path)
    model = load_model(path)
    graph = inlined(model, path).graph
    _require_outputs(graph, path)
    _fix(graph, fixed or {})
    explained = choose_explained(graph, output, logits)
    named = names_in_properties(model.metadata_props)
    names = named.names or class_names(graph)
    ends = map(unmapped, graph.outputs)
    rest = [value for value in ends if others and value not in explained.values]
    if text := [str(value.name) for value in rest if is_text(value)]:
        raise SourceError(
            f"{path} has an output '{text[0]}' of texts, which an artifact does not return: leave 'model' out of the "
            "outputs; the classes' names are its labels"
        )
    graph.outputs.clear()
    graph.outputs.extend([*explained.values, *rest])
    RemoveUnusedNodesPass()(model)
    # Once the names that the file has are no longer asked for: older forms of operators become several.
    graph = count_from_front(dequantised_tables(made_whole(upgraded(model, path)).graph))
    RemoveUnusedNodesPass()(model)
    _require_computed(graph, path)
    unread = _keep_needed(graph)
    if logits:
        _require_inputs(graph, path)
    given = [value for value in graph.inputs if value.name not in graph.initializers]
    of_bytes = real_bytes(given) if logits else set()
    # Of a file as it is, sequences and what may be left out are nobody's to describe.
    described = [value for value in given if logits or isinstance(value.type, ir.TensorType)]
    facts = [replace(input_fact(value, path), of_bytes=value.name in of_bytes) for value in described]
    missing: Missing = {}
    module = OnnxModel(graph, missing, path.stem, explained, facts, names)
    if state_of(path) != state:
        raise SourceError(f"{path} was changed while it was read: compile it again once it is written")
    if missing:
        kinds = "; ".join(f"{kind} ({_some(titles)})" for kind, titles in missing.items())
        raise UnsupportedOpError(
            f"{path} has operators that fgcompile does not read: {kinds}{_trees(missing)}{_in_front(graph, missing)}"
        )
    module.fixed, module.path, module.unread = dict(fixed or {}), path, unread
    module.labels_problem = named.problem if names is None else None
    # Of several tensors, the one that is explained is told by its name.
    several = output is not None or (others and explained.name is not None)
    module.asked = explained.values[0].name if several else None
    return module


def _fix(graph: ir.Graph, fixed: Mapping[str, Any]) -> None:
    """Makes inputs constants.

    Raises:
        InputError: There is no such input, or it takes something else.
    """
    inputs = {str(value.name): value for value in graph.inputs}
    for name, number in fixed.items():
        if name not in inputs:
            raise InputError(f"the file has no input '{name}' to fix: its inputs are {', '.join(map(repr, inputs))}")
        value = inputs[name]
        shape = () if value.shape is None else tuple(size if isinstance(size, int) else 1 for size in value.shape)
        try:
            array = np.full(shape, number, dtype=(value.dtype or ir.DataType.FLOAT).numpy())
        except (TypeError, ValueError, OverflowError) as error:
            raise InputError(f"input '{name}' cannot be fixed to {number!r}: {error}") from error
        value.const_value = ir.tensor(array, name=name)
        graph.register_initializer(value)


def _require_computed(graph: ir.Graph, path: Path) -> None:
    """Refuses a node that reads what no node computes, and what is no input or weight."""
    for node in RecursiveGraphIterator(graph):
        for value in node.inputs:
            known = value is None or value.producer() or value.is_graph_input() or value.is_initializer()
            if value is not None and not known:
                raise SourceError(f"{path}: {title(node)} reads '{value.name}', which nothing in the file computes")


def _require_outputs(graph: ir.Graph, path: Path) -> None:
    for value in graph.outputs:
        if not (value.producer() or value.is_graph_input() or value.is_initializer()):
            raise SourceError(f"{path} returns '{value.name}', which nothing in the file computes: export it again")


def _keep_needed(graph: ir.Graph) -> tuple[str, ...]:
    """Leaves the inputs out that nothing is computed of; their names."""
    unread = [value for value in graph.inputs if not value.uses() and value not in graph.outputs]
    for value in unread:
        graph.inputs.remove(value)
    return tuple(str(value.name) for value in unread)


def _require_inputs(graph: ir.Graph, path: Path) -> None:
    """Refuses what is computed of no input, and has no explanation.

    Raises:
        SourceError: It is.
    """
    if all(value.name in graph.initializers for value in graph.inputs):
        names = ", ".join(f"'{value.name}'" for value in graph.outputs)
        raise SourceError(f"{path} computes {names} of none of its inputs: explain another tensor, --explained NAME")


def _in_front(graph: ir.Graph, missing: Missing) -> str:
    """What to explain in place of what nodes make that are not read: the tensors that the first of them takes."""
    titles = {each for every in missing.values() for each in every}
    unread = [node for node in graph if title(node) in titles]
    # Numbers of classes, that something else is looked up by, have no explanation.
    found = (
        [f"'{value.name}'" for value in node.inputs if value is not None and _is_read(value.producer(), titles)]
        for node in unread
    )
    names = next(filter(None, found), [])
    return f"; explain a tensor in front of them, as --explained NAME: {' or '.join(names)}" if names else ""


def _trees(missing: Missing) -> str:
    """What is said of trees, whose steps have no derivative: that no other file of them will do."""
    return "; decisions of trees have no gradient" if any("Tree" in kind for kind in missing) else ""


def _is_read(node: ir.Node | None, unread: Collection[str]) -> bool:
    return node is not None and title(node) not in unread and node.op_type not in ("ArgMax", "ArgMin")


def _some(titles: list[str]) -> str:
    return ", ".join(titles[:3]) + (f" and {len(titles) - 3} more" if len(titles) > 3 else "")
