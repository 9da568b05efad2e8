"""What an exported program needs before it is decomposed: rewrites that keep its values.

    y.detach_()                        →  y.detach()
    y.view(sizes)                      →  y.reshape(sizes)
    instance_norm(y, running μ, σ²)    →  batch_norm(y, running μ, σ²)
    native_dropout(y, p, False)        →  y                                  (``shuffling``)
    y[arange(N), i, j]                 →  gathers within each sample (``sample_reads``)
    y[arange(N), i, j] = v             →  a scatter within each sample (``sample_writes``)
    y[:, i, :, j]                      →  y of these axes in front (``parted_indices``)
    y[:, i % n]                        →  y[:, p[i % n]], which fails out of range  (``index_guards``)
    quantize(x, s, z, l, h)            →  quantize(x, s, 0, l − z, h − z)    (``exported_levels``)
    y[:, mask]                         →  y[:, i] where the mask is a constant (``constant_masks``)

Blocks go before (``blocks``). PyTorch's decompositions would drop the model's own detachments, and what is detached is
a constant for the gradient. A view counts on strides that a decomposition may not reproduce. By running statistics an
InstanceNorm is a BatchNorm, and PyTorch would fold the samples into its channels.
"""

from __future__ import annotations

import copy

import torch
from torch.export import ExportedProgram

from fgcompile.compiler.capture.blocks import inline_blocks
from fgcompile.compiler.capture.constant_masks import ConstantMasks
from fgcompile.compiler.capture.constants import Constants
from fgcompile.compiler.capture.exported_levels import separate_zero_points
from fgcompile.compiler.capture.index_guards import guard_indices
from fgcompile.compiler.capture.parted_indices import join_indexed_axes
from fgcompile.compiler.capture.sample_reads import gather_within_samples
from fgcompile.compiler.capture.sample_writes import WRITES, scatter_within_samples
from fgcompile.compiler.capture.shuffling import is_idle_dropout, leave_out_dropout
from fgcompile.compiler.ir.nodes import bind

aten = torch.ops.aten


def prepare(exported: ExportedProgram) -> ExportedProgram:
    """The program with these rewrites; the given one is left as it is."""
    graph_module = copy.deepcopy(exported.graph_module)
    graph = graph_module.graph
    for node, original in zip(graph.nodes, exported.graph.nodes, strict=True):
        node.name = original.name  # a copy renames what is called like a built-in, and the signature goes by names
    inline_blocks(graph_module, exported)
    separate_zero_points(graph)
    guard_indices(exported, graph)
    constants = Constants(exported, graph)
    ConstantMasks(exported, graph, constants).rewrite()
    for node in list(graph.nodes):
        if node.target is aten.detach_.default:
            node.target = aten.detach.default
        elif node.target is aten.view.default:
            node.target = aten.reshape.default
        elif node.target is aten.instance_norm.default and not bind(node)["use_input_stats"]:
            node.target = aten.batch_norm.default  # of the same arguments in the same order
        elif is_idle_dropout(node):
            leave_out_dropout(node)
        elif node.target is aten.index.Tensor:
            if not gather_within_samples(node):
                join_indexed_axes(node)
        elif node.target in WRITES:
            scatter_within_samples(node)
    return constants.program(graph_module)
