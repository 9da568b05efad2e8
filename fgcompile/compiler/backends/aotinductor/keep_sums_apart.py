"""Sums behind convolutions that must not be written over what they add to.

Inductor joins ``conv(x) + r`` to one call of oneDNN, which adds to ``r`` in place where all other users of ``r`` come
before the convolution. But what these make of ``r`` it may compute once more, later, where that is cheap, and then it
reads the sum. Seen in torch 2.13 with the gradient of a ConvNeXt block: ``r`` is scaled for the layers in the block,
and once more for the term of the last one. Such a sum is kept apart from its convolution.
"""

from __future__ import annotations

import torch
from torch import fx

from fgcompile.compiler.ir.graphs import ancestors, insert_call
from fgcompile.compiler.ir.runner import as_pass

aten = torch.ops.aten


@as_pass()
def keep_sums_apart(graph_module: fx.GraphModule) -> bool:
    """Rewrites a graph of Inductor's in place, before it joins convolutions to what follows them; whether it had to."""
    changed = False
    for node in graph_module.graph.find_nodes(op="call_function", target=aten.add.Tensor):
        first, second = node.args
        if any(_is_risky(node, a, b) for a, b in ((first, second), (second, first))):
            _with_a_further_axis(node)
            changed = True
    return changed


def _is_risky(node: fx.Node, convolution: object, other: object) -> bool:
    """Whether Inductor might add the convolution to ``other`` in place, and others use that."""
    if not isinstance(convolution, fx.Node) or not isinstance(other, fx.Node):
        return False
    if convolution.target is not torch.ops.mkldnn._convolution_pointwise.default or len(convolution.users) > 1:
        return False
    others = set(other.users) - {node}
    return bool(others) and others <= ancestors(convolution.all_input_nodes)


def _with_a_further_axis(node: fx.Node) -> None:
    """The same sum of views, which Inductor does not take for the convolution itself."""
    operands = [insert_call(node, node, aten.unsqueeze.default, operand, -1) for operand in node.args]
    total = insert_call(node, node, aten.add.Tensor, *operands, **node.kwargs)
    node.replace_all_uses_with(insert_call(node, node, aten.squeeze.dim, total, -1))
    node.graph.erase_node(node)
