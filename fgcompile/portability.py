"""The one check that the fused graph is portable: what no lowering took is named before a back end is asked.

A back end would fail late and name a node of its own; some runtimes would take an operator that others lack.
"""

from __future__ import annotations

from torch import fx
from torch._ops import OpOverload

from fgcompile.errors import UnsupportedOpError

NOT_PORTABLE = ("scatter", "index_put", "index_add", "index_copy", "unpool", "as_strided", "_fft_")
"""Parts of names of operators that some runtime lacks."""


def require_portable(graph_module: fx.GraphModule) -> None:
    """Refuses a graph that still holds a backward operator, a scatter, or another operator that runtimes lack.

    Raises:
        UnsupportedOpError: Names the first such operator.
    """
    for node in graph_module.graph.nodes:
        if not isinstance(node.target, OpOverload):
            continue
        name = str(node.target)
        if name.split(".")[1].endswith("_backward") or any(part in name for part in NOT_PORTABLE):
            raise UnsupportedOpError(
                f"operator '{name}' at node '{node.name}' has no lowering into portable operators: "
                "replace the layer, or detach what it computes"
            )
