"""ONNX: masks of the backward pass are made when the forward pass comes by, and kept in place of what they are made of.

ONNX Runtime runs a graph depth first from its last output to its first, and of a node's operands first what was read
last. A mask ``x > 0`` that only the backward pass reads is so made there: until then all of ``x`` is kept, four bytes
an element where the mask has one, and is read when no cache holds it any more. Here an output of the model ends in

    logits = Reshape(logits, shape)    shape = 0 · max(batch of each mask), zeros: every axis keeps its size

behind all other nodes, so that it comes first, and the masks in the order of the forward pass. What runs a graph in
another order computes the same. Measured in ``docs/decisions/early-masks.md``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from math import prod

import numpy as np
import onnx_ir

from fgcompile.artifact.names import is_predicted
from fgcompile.compiler.ir.runner import as_pass

SMALLEST = 4096
"""Elements of a sample below which a mask is not worth the node that has it made."""

_LOGICAL = {"Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Equal", "Not", "And", "Or", "Xor", "IsNaN", "IsInf"}


@as_pass(requires=("simplify",))
def masks_first(model: onnx_ir.Model) -> bool:
    """Rewrites the graph in place; whether there are masks that only the backward pass reads.

    Outputs have their names already. Where none is the model's own, or no size is open, nothing is done: runtimes
    evaluate shapes that are known when they load a file, and what depends on them then depends on nothing.
    """
    graph = model.graph
    predicted = next((value for value in graph.outputs if is_predicted(str(value.name))), None)
    if predicted is None or predicted.producer() is None or predicted.shape is None:
        return False
    forward = _ancestors(value.producer() for value in graph.outputs if is_predicted(str(value.name)))
    masks = _masks(graph, forward)
    kept = {mask for mask in masks if _is_kept(mask, masks)}
    if not kept:
        return False
    _bring_forward(graph, masks)
    _keep_size(graph, predicted, [node.outputs[0] for node in graph if node in kept])
    return True


def _ancestors(nodes: Iterable[onnx_ir.Node | None]) -> set[onnx_ir.Node]:
    """The nodes and all that they are computed from."""
    found: set[onnx_ir.Node] = set()
    pending = [node for node in nodes if node is not None]
    while pending:
        node = pending.pop()
        if node not in found:
            found.add(node)
            pending.extend(node.predecessors())
    return found


def _masks(graph: onnx_ir.Graph, forward: set[onnx_ir.Node]) -> list[onnx_ir.Node]:
    """The comparisons, and what is made of them, that are computed from the forward pass and are not part of it."""
    masks: dict[onnx_ir.Node, None] = {}
    for node in graph:
        if node.op_type in _LOGICAL and node not in forward:
            sources = node.predecessors()
            if sources and all(source in forward or source in masks for source in sources):
                masks[node] = None
    return list(masks)


def _is_kept(mask: onnx_ir.Node, masks: Collection[onnx_ir.Node]) -> bool:
    """Whether a mask is read by the gradients, and large as far as its sizes are known: open ones count as large."""
    shape = mask.outputs[0].shape
    if shape is None or len(shape) < 2 or isinstance(shape[0], int):
        return False
    if all(use.node in masks for use in mask.outputs[0].uses()):
        return False
    sizes = [size for size in shape[1:] if isinstance(size, int)]
    return len(sizes) < len(shape) - 1 or prod(sizes) >= SMALLEST


def _bring_forward(graph: onnx_ir.Graph, masks: Sequence[onnx_ir.Node]) -> None:
    """Puts masks behind the forward node that they read last, and their conversions to numbers behind them.

    Of two operands the one that stands later in the file is computed first. So a mask's numbers, as large as what the
    mask replaces, are made when the gradient that they multiply is there.
    """
    order = {node: (position, 0) for position, node in enumerate(graph)}
    for number, mask in enumerate(masks, 1):
        behind = max(order[source][0] for source in mask.predecessors())
        casts = [use.node for use in mask.outputs[0].uses() if use.node.op_type == "Cast"]
        order.update(dict.fromkeys([mask, *casts], (behind, number)))
    nodes = sorted(graph, key=order.__getitem__)
    graph.remove(nodes)
    graph.extend(nodes)


def _keep_size(graph: onnx_ir.Graph, output: onnx_ir.Value, masks: Sequence[onnx_ir.Value]) -> None:
    """Gives an output the sizes that it has, once the batch of every mask is known, the first first."""
    assert output.shape is not None
    name, rank = str(output.name), len(output.shape)
    none = onnx_ir.tensor(np.zeros(rank, np.int64), name=f"{name}.sizes")
    zeros = onnx_ir.Value(name=none.name, const_value=none)
    graph.register_initializer(zeros)
    batches = [onnx_ir.node("Shape", [mask], {"start": 0, "end": 1}) for mask in reversed(masks)]
    most = onnx_ir.node("Max", [node.outputs[0] for node in batches])
    sizes = onnx_ir.node("Mul", [most.outputs[0], zeros])
    same = onnx_ir.node("Reshape", [output, sizes.outputs[0]])
    graph.extend([*batches, most, sizes, same])
    result = same.outputs[0]
    result.shape, result.type = output.shape, output.type
    output.name, result.name = f"{name}.computed", name
    graph.outputs[graph.outputs.index(output)] = result
