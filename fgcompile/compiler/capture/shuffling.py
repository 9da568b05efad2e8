"""Operators that PyTorch has another, plainer form of, which leaves the batch dynamic.

native_channel_shuffle(y, g)      →  (N, g, C/g, …) of (N, C, …), these two axes exchanged, (N, C, …) again
native_dropout(y, p, False)       →  (y, ones)
"""

from __future__ import annotations

import torch
from torch import Tensor, fx

from fgcompile.compiler.ir.graphs import insert_call
from fgcompile.compiler.ir.nodes import bind

aten = torch.ops.aten


def shuffle_channels(input: Tensor, groups: int) -> Tensor:
    """``torch.native_channel_shuffle``, whose kernel for fake tensors reads the batch's size as a number."""
    samples, channels, *space = input.shape
    by_group = input.reshape(samples, groups, channels // groups, *space)
    return by_group.transpose(1, 2).reshape(input.shape)


def is_idle_dropout(node: fx.Node) -> bool:
    """Whether a node is a dropout that drops nothing and draws nothing."""
    return node.target is aten.native_dropout.default and bind(node)["train"] is False


def leave_out_dropout(node: fx.Node) -> None:
    """Replaces what is picked of an idle dropout: its operand, and a mask that keeps everything."""
    source = node.args[0]
    assert isinstance(source, fx.Node)
    for picked in list(node.users):
        if picked.args[1] == 0:
            value = insert_call(picked, picked, aten.clone.default, source)
        else:
            value = insert_call(picked, picked, aten.ones_like.default, source, dtype=torch.bool)
        picked.replace_all_uses_with(value)
        node.graph.erase_node(picked)
        value.name = picked.name  # the signature goes by names
    node.graph.erase_node(node)
