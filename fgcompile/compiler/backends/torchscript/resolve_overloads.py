"""TorchScript: overloads become their packets, which it resolves itself, and what reads sizes becomes what it knows.

aten.add.Tensor(x, y)       →  aten.add(x, y)
aten.sym_size.int(x, 0)     →  aten.size(x, 0)
sym_float(n)                →  float(n)
math.trunc(s)               →  int(s)
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import fx

from fgcompile.compiler.ir.runner import as_pass
from fgcompile.compiler.ir.torch_internals import OpOverload
from fgcompile.errors import UnsupportedOpError

aten = torch.ops.aten


@as_pass()
def resolve_overloads(graph_module: fx.GraphModule) -> bool:
    """Rewrites the graph in place.

    Raises:
        UnsupportedOpError: A call is of neither an operator of PyTorch's nor Python's arithmetic.
    """
    for node in graph_module.graph.nodes:
        if node.target is aten.sym_size.int:
            node.target = aten.size
        elif node.target is torch.sym_float:
            node.target = float
        elif node.target is math.trunc:
            node.target = int
        elif isinstance(node.target, OpOverload):
            node.args, node.kwargs = _written_out(node)
            node.target = node.target.overloadpacket
        elif node.op == "call_function" and getattr(node.target, "__module__", "") != "_operator":
            raise UnsupportedOpError(f"'{node.target}' at node '{node.name}' cannot be scripted")
    return True


def _written_out(node: fx.Node) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments, without keyword arguments that are None, which some schemas do not take by name."""
    return node.args, {name: value for name, value in node.kwargs.items() if value is not None}
