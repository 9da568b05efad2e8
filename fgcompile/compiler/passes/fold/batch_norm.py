"""Folds an exposed BatchNorm into the convolution or linear layer before it; both biases stay, at one site.

    s ⊙ (W x + b₁) + b₂  →  (s ⊙ W) x + (s ⊙ b₁ + b₂)

The two bias terms share one gradient: with ``δ`` at the output, the terms are ``δ ⊙ s b₁`` and ``δ ⊙ b₂``, which are
the very terms of the unfolded layers, since the gradient at the convolution's output is ``s ⊙ δ``.
"""

from __future__ import annotations

import dataclasses
from functools import partial

import torch
from torch import Tensor, fx

from fgcompile.compiler.ir.graphs import copy_graph
from fgcompile.compiler.ir.programs import BiasedProgram
from fgcompile.compiler.ir.runner import Pass

aten = torch.ops.aten


def fold_batch_norm(with_bias: bool = True) -> Pass[BiasedProgram, BiasedProgram]:
    """The pass that folds every BatchNorm site whose input is a product that nothing else uses.

    Args:
        with_bias: Whether to fold products that have a bias of their own too, whose value then is ``s ⊙ b₁``, and whose
            gradient is that of the BatchNorm.
    """
    return Pass("fold_batch_norm", partial(_fold_all, with_bias=with_bias), stale_values=True)


def _fold_all(program: BiasedProgram, with_bias: bool) -> BiasedProgram:
    graph_module = copy_graph(program.graph_module)
    nodes = {node.name: node for node in graph_module.graph.nodes}
    placeholders = graph_module.graph.find_nodes(op="placeholder")
    count = len(placeholders) - len(program.biases)  # those of the inputs come first
    offsets = dict(zip(program.biases, placeholders[count:], strict=True))
    sites = {site.name: site for site in program.sites}
    by_node = {site.node: site.name for site in program.sites}
    biases = dict(program.biases)
    for site in program.sites:
        if site.kind != "batch_norm":
            continue
        sum_node = nodes[site.node]
        product = _product_before(sum_node)
        if product is None or (not with_bias and product.name in by_node):
            continue
        scale = attribute(graph_module, sum_node.args[0].args[1])
        before = sites.pop(by_node[product.name]) if product.name in by_node else None
        if before is not None:
            for term in before.terms:
                assert term.input is not None
                biases[term.input] = biases[term.input] * scale.flatten()
        folded = _fold(graph_module, product, sum_node, scale, offsets[str(site.terms[0].input)])
        terms = (before.terms if before else ()) + site.terms
        sites[site.name] = dataclasses.replace(site, node=folded.name, terms=terms)
    ordered = tuple(sites[site.name] for site in program.sites if site.name in sites)
    if ordered == program.sites:
        return program
    return dataclasses.replace(program, graph_module=graph_module, biases=biases, sites=ordered)


def _product_before(sum_node: fx.Node) -> fx.Node | None:
    """The convolution or linear node of ``add(mul(product, scale), bias)``, if it can take the scale.

    It cannot where something else reads it or the scaled value, which would then be another; where its weight or bias
    is computed, since only a constant can be scaled beforehand; and where a linear layer has more than two axes, since
    the channels of a BatchNorm are axis 1, and a linear layer's the last.
    """
    scaled = sum_node.args[0]
    if sum_node.target is not aten.add.Tensor or not isinstance(scaled, fx.Node):
        return None
    if scaled.target is not aten.mul.Tensor or len(scaled.users) != 1:
        return None
    product, scale = scaled.args
    if not isinstance(product, fx.Node) or not isinstance(scale, fx.Node) or scale.op != "get_attr":
        return None
    if product.target not in (aten.convolution.default, aten.linear.default) or len(product.users) != 1:
        return None
    if product.target is aten.linear.default and product.meta["val"].ndim != 2:
        return None
    weight = product.args[1]
    bias = product.args[2] if len(product.args) > 2 else None
    constant = isinstance(weight, fx.Node) and weight.op == "get_attr"
    exposed = bias is None or (isinstance(bias, fx.Node) and bias.op == "placeholder")
    return product if constant and exposed else None


def _fold(
    graph_module: fx.GraphModule,
    product: fx.Node,
    sum_node: fx.Node,
    scale: Tensor,
    offset: fx.Node,
) -> fx.Node:
    graph = graph_module.graph
    weight = attribute(graph_module, product.args[1])
    name = f"folded_{sum_node.name}_weight"
    graph_module.register_buffer(name, scaled_weight(weight, scale.flatten(), product))
    with graph.inserting_before(sum_node):
        folded_weight = graph.get_attr(name)
        bias = product.args[2] if len(product.args) > 2 else None
        total = offset if bias is None else graph.call_function(aten.add.Tensor, (bias, offset))
        assert callable(product.target)
        folded = graph.call_function(product.target, (product.args[0], folded_weight, total, *product.args[3:]))
    folded.meta = dict(sum_node.meta)
    sum_node.replace_all_uses_with(folded)
    return folded


def scaled_weight(weight: Tensor, scale: Tensor, product: fx.Node) -> Tensor:
    """The weight times ``s`` along its output channels: axis 0, or for a transposed convolution axis 1 by group."""
    trailing = [1] * (weight.ndim - 2)
    if product.target is aten.convolution.default and product.args[6]:
        groups = product.args[8]
        assert isinstance(groups, int)
        grouped: Tensor = weight.reshape(groups, -1, *weight.shape[1:]) * scale.reshape(groups, 1, -1, *trailing)
        return grouped.flatten(0, 1)
    scaled: Tensor = weight * scale.reshape(-1, 1, *trailing)
    return scaled


def attribute(graph_module: fx.GraphModule, node: fx.node.Argument) -> Tensor:
    """The constant of a graph that a node reads."""
    assert isinstance(node, fx.Node)
    value = getattr(graph_module, str(node.target))
    assert isinstance(value, Tensor)
    return value
