"""The checks that the fused graph is portable: what no lowering took is named before a back end is asked.

A back end would fail late and name a node of its own; some runtimes would take an operator that others lack. What the
model itself writes is known before the graph is differentiated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, fx

from fgcompile.compiler.ir.graphs import fake_mode
from fgcompile.compiler.ir.nodes import user_line
from fgcompile.compiler.ir.torch_internals import OpOverload, enable_python_dispatcher
from fgcompile.errors import UnsupportedOpError

NOT_PORTABLE = ("scatter", "index_put", "index_add", "index_copy", "unpool", "as_strided")
"""Parts of names of operators that some runtime lacks."""


WRITES = {
    "index_put": "write each sample at places of its own, y[torch.arange(y.shape[0]), i] = v, or use torch.where",
    "masked_scatter": "what is left of one sample's values would go to the next: use torch.where(mask, v, y)",
    "put": "its places are counted through all samples: write y[:, i] = v",
    **dict.fromkeys(
        ("scatter", "scatter_add", "scatter_reduce", "index_add", "index_copy", "index_reduce", "as_strided_scatter"),
        "write along an axis of fixed size, at places of each sample's own",
    ),
}
"""Operators that write into a part of a tensor, by name, and what to write instead where they have no form."""


PARTS = (torch.ops.aten.slice_backward.default, torch.ops.aten.select_backward.default)
"""Backward operators of reading a part of one axis: the gradient, the sizes, the axis."""


READS = (torch.ops.aten.index_put.default, torch.ops.aten.index_add.default)
"""Backward operators of reading at indices."""


OWN_NAMESPACES = ("aten", "prims", "prim", "fgcompile")
"""Those of PyTorch's operators, and of ours."""


def require_portable_writes(graph_module: fx.GraphModule, table: Mapping[OpOverload, Callable[..., Any]]) -> None:
    """Refuses a model's graph that writes in a way that has no lowering, before anything is differentiated.

    Raises:
        UnsupportedOpError: Names the first such operator, its layer and its line.
    """
    for node in graph_module.graph.nodes:
        name = str(node.target).split(".")[1] if isinstance(node.target, OpOverload) else ""
        if name in WRITES and not _is_lowered(node, table):
            line = user_line(node)
            where = f"{_layer(node)}{'' if line is None else f' at {line}'}"
            raise UnsupportedOpError(
                f"operator '{node.target}'{where} has no lowering into portable operators: {WRITES[name]}"
            )


def _is_lowered(node: fx.Node, table: Mapping[OpOverload, Callable[..., Any]]) -> bool:
    assert isinstance(node.target, OpOverload)
    lowering = table.get(node.target)
    if lowering is None:
        return False
    args, kwargs = fx.map_arg((node.args, node.kwargs), lambda source: source.meta["val"])
    with fake_mode(node.graph), torch.no_grad(), enable_python_dispatcher():
        return lowering(*args, **kwargs) is not NotImplemented


def require_portable(graph_module: fx.GraphModule) -> None:
    """Refuses a graph that still holds a backward operator, a scatter, complex numbers, or what else runtimes lack.

    Raises:
        UnsupportedOpError: Names the first such operator, and the layer that it comes from.
    """
    for node in graph_module.graph.nodes:
        if isinstance(node.target, OpOverload) and (lack := _lack(node, str(node.target))):
            raise UnsupportedOpError(f"operator '{node.target}'{_layer(node)} {lack}: {_advice(node)}")


def _advice(node: fx.Node) -> str:
    if _is_foreign(node):
        return "write it by PyTorch's operators while compiling"
    if node.target in READS:
        return "read each sample at places of its own, y[torch.arange(y.shape[0]), i] or y.gather(1, i)"
    return "replace the layer, or detach what it computes"


def _is_foreign(node: fx.Node) -> bool:
    """Whether an operator is a library's or the user's, of ``torch.library`` say."""
    return isinstance(node.target, OpOverload) and node.target.namespace not in OWN_NAMESPACES


def _lack(node: fx.Node, name: str) -> str:
    if _is_foreign(node):
        return "is none of PyTorch's, and no runtime has it"
    value = node.meta.get("val")
    if isinstance(value, Tensor) and value.is_complex():
        return "returns complex numbers, which few runtimes have"
    if node.target in PARTS and isinstance(node.args[1][node.args[2]], fx.Node | torch.SymInt):  # type: ignore[index]
        return "takes a part of an axis of dynamic size, so that samples depend on each other if it is the batch"
    if name.split(".")[1].endswith("_backward") or any(part in name for part in NOT_PORTABLE):
        return "has no lowering into portable operators"
    return ""


def _layer(node: fx.Node) -> str:
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    path = stack[-1][0] if stack else ""
    return f" in layer '{path}'" if path else f" at node '{node.name}'"
