"""Constants that no node reads any more are dropped: those that others were made of, and those of dead code."""

from __future__ import annotations

from torch import fx

from fgcompile.compiler.ir.runner import as_pass


@as_pass()
def drop_unused_constants(graph_module: fx.GraphModule) -> bool:
    """Deletes such attributes of the module; whether there was one. The graph stays as it is."""
    used = {str(node.target) for node in graph_module.graph.find_nodes(op="get_attr")}
    names = [name for name, _ in graph_module.named_buffers(recurse=False, remove_duplicate=False)]
    unused = [name for name in names if name not in used]
    for name in unused:
        delattr(graph_module, name)
    return bool(unused)
