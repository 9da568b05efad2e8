"""The scale that gradients bear in half precision is taken out behind what it commutes with, of a few numbers.

max |s δ|  →  s max |δ|        w @ |s δ|  →  s (w @ |δ|)        s > 0

Before their magnitudes were reduced, whole tensors of gradients would be widened to be scaled.
"""

from __future__ import annotations

import torch
from torch import Tensor, fx

from fgcompile.compiler.ir.annotations import is_aggregation
from fgcompile.compiler.ir.graphs import RESHAPES
from fgcompile.compiler.ir.runner import as_pass

aten = torch.ops.aten

SELECTING = {
    *RESHAPES,
    aten.abs.default,
    aten.amax.default,
    aten.amin.default,
    aten.max_pool2d_with_indices.default,
    aten.neg.default,
    aten.permute.default,
    aten.squeeze.dim,
    aten.transpose.int,
    aten.unsqueeze.default,
}
"""Operators of one tensor whose results are its numbers, or their negatives or magnitudes: ``g(s x) = s g(x)``, exactly
in any precision."""

_OF_TWO = {aten.mul.Tensor, aten.matmul.default, aten.bmm.default}
"""Those of two, in each of which they are linear."""


@as_pass()
def late_scales(graph_module: fx.GraphModule) -> bool:
    """Rewrites the aggregation in place; whether there was a scale before what it commutes with."""
    products = graph_module.graph.find_nodes(op="call_function", target=aten.mul.Tensor)
    scales = [node for node in products if is_aggregation(node) and _is_scale(node.args[1])]
    return any([_put_off(node) for node in scales])  # noqa: C419 - each of them


def _put_off(node: fx.Node) -> bool:
    of, scale = node.args
    assert isinstance(of, fx.Node)
    users = [user for user in node.users if _commutes(user, node)]
    for user in users:
        user.replace_input_with(node, of)
        # Of a pooling its values: what it returns besides, their places, has no user.
        for result in [user] if isinstance(user.meta["val"], Tensor) else list(user.users):
            _put_off(_scaled(result, scale))
    return bool(users)


def _scaled(result: fx.Node, scale: fx.node.Argument) -> fx.Node:
    """The scale behind a result, which others now have of it."""
    with result.graph.inserting_after(result):
        later = result.graph.call_function(aten.mul.Tensor, (result, scale))
    later.meta = dict(result.meta)
    result.replace_all_uses_with(later, lambda user: user is not later)
    return later


def _commutes(user: fx.Node, scaled: fx.Node) -> bool:
    if not is_aggregation(user):
        return False
    if user.target in _OF_TWO:
        return [operand for operand in user.args if isinstance(operand, fx.Node)].count(scaled) == 1
    values_alone = isinstance(user.meta["val"], Tensor) or all(result.args[1] == 0 for result in user.users)
    return user.target in SELECTING and user.args[0] is scaled and values_alone


def _is_scale(value: fx.node.Argument) -> bool:
    return isinstance(value, float) and value > 0
