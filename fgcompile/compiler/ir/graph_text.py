"""A graph as text that people read and compare: one line a node.

x: float32[s77, 3]
w: float32[5, 3] = constant weight
linear: float32[s77, 5] = aten.linear.default(x, w)  # head
return (linear,)
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, fx

from fgcompile.compiler.ir.nodes import layer_name
from fgcompile.compiler.ir.torch_internals import OpOverload, OpOverloadPacket


def graph_text(graph: fx.Graph) -> str:
    """Each node's name, dtype, shape, operator and arguments, and behind ``#`` the layer that it comes from."""
    return "".join(f"{_line(node)}\n" for node in graph.nodes)


def _line(node: fx.Node) -> str:
    if node.op == "output":
        return f"return {_argument(node.args[0])}"
    name = node.name
    if "val" in node.meta:
        name += f": {_value(node.meta['val'])}"
    if node.op == "placeholder":
        return name
    if node.op == "get_attr":
        return f"{name} = constant {node.target}"
    arguments = [_argument(value) for value in node.args]
    arguments += [f"{key}={_argument(value)}" for key, value in node.kwargs.items()]
    layer = f"  # {layer_name(node)}" if node.meta.get("nn_module_stack") else ""
    return f"{name} = {_operator(node.target)}({', '.join(arguments)}){layer}"


def _operator(target: Any) -> str:
    """An operator as it is written in the sources: ``aten.add.Tensor``, ``getitem``."""
    if isinstance(target, OpOverload | OpOverloadPacket):
        return str(target)
    return getattr(target, "__name__", str(target))


def _value(value: Any) -> str:
    """Dtype and shape of a tensor, ``float32[s77, 3]``; of several values each; the type of anything else."""
    if isinstance(value, Tensor):
        sizes = ", ".join(map(str, value.shape))
        return f"{str(value.dtype).removeprefix('torch.')}[{sizes}]"
    if isinstance(value, tuple | list):
        return f"({', '.join(map(_value, value))})"
    return type(value).__name__


def _argument(value: Any) -> str:
    if isinstance(value, fx.Node):
        return value.name
    if isinstance(value, tuple | list):
        left, right = ("[", "]") if isinstance(value, list) else ("(", ",)" if len(value) == 1 else ")")
        return f"{left}{', '.join(map(_argument, value))}{right}"
    return repr(value) if isinstance(value, str) else str(value)
