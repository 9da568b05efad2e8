"""A backward is linear in the gradient that it is given, ``u``: its derivative reads no more than the shape of ``u``.

A gradient that is clipped, or normalised, is found by that.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

import torch
from torch import fx

from fgcompile.compiler.capture.functions.call import FunctionCall
from fgcompile.compiler.ir.nodes import bind
from fgcompile.compiler.ir.sizes import same_size
from fgcompile.compiler.ir.torch_internals import OpOverload

aten = torch.ops.aten

SHAPE_ALONE = (
    *(aten.sym_size, aten.zeros_like, aten.ones_like, aten.full_like, aten.empty_like),
    *(aten.new_zeros, aten.new_ones, aten.new_full, aten.new_empty),
)
"""Operators that read their operand's shape and not its values."""

SHAPE_OF_SELF = (
    *(aten.avg_pool2d_backward, aten.avg_pool3d_backward),
    *(aten._adaptive_avg_pool2d_backward, aten._adaptive_avg_pool3d_backward),
    *(aten.reflection_pad1d_backward, aten.reflection_pad2d_backward, aten.reflection_pad3d_backward),
    *(aten.replication_pad1d_backward, aten.replication_pad2d_backward, aten.replication_pad3d_backward),
)
"""Backwards of linear operators, which read the shape of what their operator was given, ``self``."""


def require_linear(call: FunctionCall, graph_module: fx.GraphModule, start: int, stop: int) -> None:
    """Refuses a backward whose derivative depends on the gradient that it is given.

    Args:
        call: The call, for the message.
        graph_module: The graph of ``J̃ a``, without dead code.
        start: The position of the first cotangent among its placeholders.
        stop: That behind the last.

    Raises:
        CaptureError: It does.
    """
    dependent = set(list(graph_module.graph.find_nodes(op="placeholder"))[start:stop])
    for node in graph_module.graph.nodes:
        if dependent.intersection(_read_by(node)):
            dependent.add(node)
    output = graph_module.graph.output_node()
    deciding = _behind(output, dependent)
    if not deciding:
        # Noise that is added to the gradient is in no derivative, and in the graph still: random calls are never dead.
        live = set(_behind(output, set(graph_module.graph.nodes)))
        deciding = [node for node in graph_module.graph.nodes if _is_random(node) and node not in live]
    if deciding:
        decides = next((node for node in deciding if node.target not in MOVES), deciding[0])
        raise call.refused(
            "has a backward that is not linear in the gradient, so that it belongs to no explanation of the score (it "
            f"decides by the gradient, in '{decides.target}')",
            "leave out the function while compiling, or scale the gradient by what does not depend on it",
        )


COPIES = (aten.detach.default, aten.alias.default, aten.clone.default)

MOVES = (
    *COPIES,
    *(aten.view.default, aten.reshape.default),
    *(aten._unsafe_view.default, aten.permute.default, aten.transpose.int, aten.t.default, aten.unsqueeze.default),
    *(aten.squeeze.dim, aten.expand.default),
)
"""Operators that a message does not name, since they decide nothing."""


def _is_random(node: fx.Node) -> bool:
    return isinstance(node.target, OpOverload) and torch.Tag.nondeterministic_seeded in node.target.tags


def _read_by(node: fx.Node) -> list[fx.Node]:
    """The nodes whose values a node reads."""
    packet: Any = node.target.overloadpacket if isinstance(node.target, OpOverload) else None
    if packet in SHAPE_ALONE:
        return []
    if packet in SHAPE_OF_SELF:
        arguments = bind(node)
        return [value for name, value in arguments.items() if name != "self" and isinstance(value, fx.Node)]
    if packet is aten.convolution_backward:
        arguments = bind(node)
        wanted = arguments["output_mask"]
        read = [arguments["grad_output"]]
        # Of what is convolved the weights' gradient reads the values, of the weights that of what is convolved.
        read += [arguments["input"]] * bool(wanted[1]) + [arguments["weight"]] * bool(wanted[0])
        return read
    return node.all_input_nodes


def _behind(node: fx.Node, among: Container[fx.Node]) -> list[fx.Node]:
    """The calls among some that a node's values come from, in the order of the graph."""
    found, pending = set(), [node]
    while pending:
        for source in _read_by(pending.pop()):
            if source in among and source not in found:
                found.add(source)
                pending.append(source)
    return [node for node in node.graph.nodes if node in found and node.op == "call_function"]


def leave_out_cotangents(
    call: FunctionCall, graph_module: fx.GraphModule, start: int, differentiable: Sequence[int]
) -> None:
    """Puts zeros of the outputs' shapes where the cotangents' shapes are read; ``start`` is the first one's position.

    Raises:
        CaptureError: The forward has a size that only the cotangent is known to have.
    """
    graph = graph_module.graph
    placeholders = list(graph.find_nodes(op="placeholder"))
    results: Any = graph.output_node().args[0]
    for position, index in enumerate(differentiable):
        cotangent, output = placeholders[start + position], _source(results[index])
        _leave_out_copies(cotangent)
        order = {node: place for place, node in enumerate(graph.nodes)}
        for user in list(cotangent.users):
            if user.target is aten.sym_size.int and (size := _same_axis(user, placeholders[:start])) is not None:
                user.args = size
            elif order[user] < order[output]:
                raise call.refused("has a forward of a size that is not known", "compute it from the operands' shapes")
        if cotangent.users:
            with graph.inserting_after(placeholders[-1] if output.op == "placeholder" else output):
                zeros = graph.call_function(aten.zeros_like.default, (output,))
            zeros.meta["val"] = cotangent.meta["val"]
            cotangent.replace_all_uses_with(zeros)
    graph_module.recompile()


def _source(node: fx.Node) -> fx.Node:
    while node.target in COPIES and isinstance(node.args[0], fx.Node):
        node = node.args[0]
    return node


def _leave_out_copies(node: fx.Node) -> None:
    for user in list(node.users):
        if user.target in COPIES:
            _leave_out_copies(user)
            user.replace_all_uses_with(node)
            user.graph.erase_node(user)


def _same_axis(read: fx.Node, operands: Sequence[fx.Node]) -> tuple[fx.Node, int] | None:
    """The operand and its axis of the size that is read."""
    for operand in operands:
        value = operand.meta.get("val")
        if isinstance(value, torch.Tensor):
            for axis, size in enumerate(value.shape):
                if same_size(size, read.meta["val"]):
                    return operand, axis
    return None
