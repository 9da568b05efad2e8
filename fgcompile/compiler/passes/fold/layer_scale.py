"""Folds a scale per channel into the linear layer or convolution before it, as BatchNorms are.

    γ ⊙ (W x + b)  →  (γ ⊙ W) x + γ ⊙ b

LayerScale (Touvron et al. 2021, arXiv:2103.17239) ends the blocks of ConvNeXt, CaiT and DINOv2 so. The bias keeps its
term: the gradient at the layer's output was ``γ ⊙ δ``, and the term ``δ ⊙ γ ⊙ b`` is the same.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from fgcompile.compiler.ir.graphs import copy_graph
from fgcompile.compiler.ir.programs import BiasedProgram, Site
from fgcompile.compiler.ir.runner import as_pass
from fgcompile.compiler.passes.fold.batch_norm import attribute, scaled_weight

aten = torch.ops.aten


PRODUCTS = (aten.linear.default, aten.convolution.default)


@dataclass(frozen=True)
class _Scaling:
    """``mul(permute(product), scale)``.

    Attributes:
        product: The layer.
        scaled: What is scaled: the layer's output, or its axes in another order.
        scale: The factors ``(C,)`` of its channels.
    """

    product: fx.Node
    scaled: fx.Node
    scale: Tensor


@as_pass()
def fold_layer_scale(program: BiasedProgram) -> BiasedProgram:
    """Folds every constant scale of a product that nothing else reads. The program is left as it is."""
    graph_module = copy_graph(program.graph_module)
    graph = graph_module.graph
    sites = {site.node: site for site in program.sites}
    biases, changed = dict(program.biases), False
    readers = Counter(str(node.target) for node in graph.nodes if node.op == "get_attr" for _ in node.users)
    for node in list(graph.find_nodes(op="call_function", target=aten.mul.Tensor)):
        found = None if node.name in sites else _scaling(graph_module, node)
        if found is None or not _takes(found.product, sites.get(found.product.name), readers):
            continue
        site = sites.get(found.product.name)
        for term in site.terms if site else ():
            biases[str(term.input)] = biases[str(term.input)] * found.scale
        _scale_weight(graph_module, found)
        node.replace_all_uses_with(found.scaled)
        graph.erase_node(node)
        changed = True
    return dataclasses.replace(program, graph_module=graph_module, biases=biases) if changed else program


def _scaling(graph_module: fx.GraphModule, node: fx.Node) -> _Scaling | None:
    """What a product of two does, where one is a constant with a number for each channel of a layer."""
    for scaled, constant in (node.args, node.args[::-1]):
        if isinstance(scaled, fx.Node) and isinstance(constant, fx.Node) and constant.op == "get_attr":
            return _scaling_by(attribute(graph_module, constant), scaled)
    return None


def _scaling_by(scale: Tensor, scaled: fx.Node) -> _Scaling | None:
    product: Any = scaled
    order = list(range(scaled.meta["val"].ndim))
    while product.target is aten.permute.default and len(product.users) == 1:
        dims = [axis % len(order) for axis in product.args[1]]
        order, product = [dims[axis] for axis in order], product.args[0]
    if product.target not in PRODUCTS or len(product.users) != 1 or scale.ndim > len(order):
        return None
    axis = len(order) - 1 if product.target is aten.linear.default else 1
    channels = int(product.meta["val"].shape[axis])
    shape = [1] * (len(order) - scale.ndim) + list(scale.shape)
    if scale.numel() not in (1, channels) or scale.numel() != shape[order.index(axis)]:
        return None
    return _Scaling(product, scaled, scale.reshape(-1).expand(channels))


def _takes(product: fx.Node, site: Site | None, readers: Counter[str]) -> bool:
    """Whether a layer's weight is its own, and its bias one that can be scaled beforehand, or none."""
    weight, bias, *_ = (*product.args[1:], None)
    if not isinstance(weight, fx.Node) or weight.op != "get_attr" or readers[str(weight.target)] != 1:
        return False
    if bias is None:
        return site is None
    return site is not None and isinstance(bias, fx.Node) and bias.op == "placeholder" and len(site.terms) == 1


def _scale_weight(graph_module: fx.GraphModule, found: _Scaling) -> None:
    product = found.product
    weight: Any = product.args[1]
    name = f"scaled_{product.name}_weight"
    graph_module.register_buffer(name, scaled_weight(attribute(graph_module, weight), found.scale, product))
    with graph_module.graph.inserting_before(product):
        scaled = graph_module.graph.get_attr(name)
    scaled.meta = dict(weight.meta)
    product.update_arg(1, scaled)
