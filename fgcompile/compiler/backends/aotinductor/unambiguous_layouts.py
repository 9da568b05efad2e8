"""Convolutions whose memory layout AOTInductor and oneDNN cannot read differently.

Where the batch is dynamic, Inductor takes the result of a two-dimensional convolution to be laid out as its input is,
channels first or last. An input of one channel, or of one position, is both, and oneDNN may decide otherwise: PyTorch
2.11 and 2.13 then read the result in the wrong order (seen with 1×1 inputs that a padding enlarges, and with
one-channel results of another convolution). So one channel becomes two, the second with weights of zero, and a single
position is padded before the convolution, not by it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx

from fgcompile.compiler.ir.graphs import insert_call
from fgcompile.compiler.ir.runner import as_pass
from fgcompile.compiler.ir.sizes import is_fixed

aten = torch.ops.aten


@as_pass()
def unambiguous_layouts(graph_module: fx.GraphModule) -> bool:
    """Rewrites the graph in place; whether there was one of two layouts. Every node's ``meta["val"]`` is kept up."""
    changed = False
    for node in graph_module.graph.find_nodes(op="call_function", target=aten.convolution.default):
        if _is_ambiguous(node):
            _pad_first(node)
            _double_channel(node)
            changed = True
    return changed


def _is_ambiguous(node: fx.Node) -> bool:
    """Whether the input of a convolution can be read in both layouts, and its result in one.

    Where the result can be read in both too, nobody can read it wrongly; and where the batch is fixed, Inductor asks
    oneDNN for the layout instead of inferring it.
    """
    x, *_, transposed, _, _ = node.args
    assert isinstance(x, fx.Node)
    source, result = x.meta["val"], node.meta["val"]
    if source.dim() != 4 or transposed or is_fixed(source.shape[0]):
        return False
    return _has_one_order(source) and not _has_one_order(result)


def _has_one_order(value: Tensor) -> bool:
    """Whether channels first and channels last are the same order: one channel, or one position."""
    return _is_one(value.shape[1]) or all(map(_is_one, value.shape[2:]))


def _is_one(size: int | torch.SymInt) -> bool:
    return is_fixed(size) and int(size) == 1


def _pad_first(node: fx.Node) -> None:
    arguments: Any = node.args
    x, weight, bias, stride, padding, *rest = arguments
    if any(padding) and all(map(_is_one, x.meta["val"].shape[2:])):
        amounts = [amount for pad in reversed(padding) for amount in (pad, pad)]
        padded = insert_call(node, node, aten.constant_pad_nd.default, x, amounts, 0.0)
        node.args = (padded, weight, bias, stride, [0] * len(padding), *rest)


def _double_channel(node: fx.Node) -> None:
    arguments: Any = node.args
    x, weight, *rest = arguments
    if _is_one(x.meta["val"].shape[1]):
        twice = insert_call(node, node, aten.cat.default, [x, x], 1)
        zeros = insert_call(node, node, aten.mul.Scalar, weight, 0.0)
        node.args = (twice, insert_call(node, node, aten.cat.default, [weight, zeros], 1), *rest)
