"""Common subexpressions: of several calls of one operator on the same operands, the first serves all."""

from __future__ import annotations

from typing import Any

from torch import fx

from fgcompile.compiler.ir.nodes import is_random
from fgcompile.compiler.ir.runner import as_pass


@as_pass(requires=("replace_mutations",))
def share_subexpressions(graph_module: fx.GraphModule) -> bool:
    """Rewrites the graph in place; whether there were two alike.

    What is changed in place later is no value to share, and random numbers are drawn anew by each call.
    """
    graph, changed = graph_module.graph, False
    first: dict[Any, fx.Node] = {}
    for node in list(graph.nodes):
        if node.op not in ("call_function", "get_attr") or is_random(node):
            continue
        key = (node.op, node.target, _frozen(node.args), _frozen(node.kwargs))
        if key in first:
            node.replace_all_uses_with(first[key])
            graph.erase_node(node)
            changed = True
        else:
            first[key] = node
    return changed


def _frozen(value: Any) -> Any:
    """A hashable stand-in; numbers carry their type, since 1, 1.0 and True are equal but not the same argument."""
    if isinstance(value, list | tuple):
        return tuple(_frozen(item) for item in value)
    if isinstance(value, dict):
        return tuple((name, _frozen(item)) for name, item in value.items())
    return (type(value), value)
