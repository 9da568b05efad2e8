"""What a captured graph must be for its samples to have explanations: what is not so is refused by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, fx

from fgcompile.compiler.capture.experts import ADVICE as EXPERTS
from fgcompile.compiler.capture.experts import is_of_experts
from fgcompile.compiler.capture.failures import of_a_number
from fgcompile.compiler.ir.fixed_batch import ALONE, FixedBatchError
from fgcompile.compiler.ir.nodes import is_random, layer_name, user_line
from fgcompile.compiler.ir.programs import CapturedProgram
from fgcompile.compiler.ir.sizes import hint, is_fixed
from fgcompile.compiler.ir.torch_internals import HigherOrderOperator, free_unbacked_symbols, pytree
from fgcompile.errors import CaptureError

aten = torch.ops.aten

BATCH_STATISTICS = (
    aten._native_batch_norm_legit.no_stats,
    aten._native_batch_norm_legit.default,
    aten._native_batch_norm_legit_functional.default,
    aten.native_batch_norm.default,
    aten.batch_norm.default,
)

BAG = "adds up embeddings in bags of any length: use nn.Embedding, and a sum or mean over the axis of the ids"

WITHOUT_DERIVATIVE = {
    aten._grouped_mm.default: f"multiplies groups of rows whose sizes depend on values: {EXPERTS}",
    aten._embedding_bag.default: BAG,
    aten._embedding_bag_forward_only.default: BAG,
    aten.grid_sampler_3d.default: "samples a volume at the places of a grid: sample its slices, as images",
}
"""Operators for which there is neither a rule nor a portable backward: what they do, and what to use instead."""


NUMBERS = (aten._local_scalar_dense.default, aten.item.default)
"""What reads the value of a tensor as a number."""


def require_explainable(captured: CapturedProgram, free_batch: bool = True) -> None:
    """Refuses a graph without a free batch, with samples that depend on each other, on chance, or numbers on values.

    Args:
        captured: The program.
        free_batch: Whether it is to have a free batch; else it is that of one sample, which has no neighbours.

    Raises:
        CaptureError: Names the input or the layer.
    """
    for node in captured.graph_module.graph.nodes:
        if node.op == "placeholder":
            (_require_free_batch if free_batch else _require_one_sample)(node, captured.name)
        elif node.op == "call_function":
            _require_operator(node)
            if free_batch:
                _require_independent_samples(node)
            _require_derivative(node)
            _require_tensors(node, captured.name)
            _require_sizes(node)
            _require_own_gradient(node)
            _require_determinism(node)


def _require_free_batch(node: fx.Node, name: str) -> None:
    value = node.meta["val"]
    if isinstance(value, Tensor) and isinstance(value.shape[0], int):
        raise FixedBatchError(
            f"{name} fixes the batch size of its input '{node.name}' to {value.shape[0]}: "
            "export it with a dynamic first dimension, torch.export.Dim('batch')"
        )


def _require_one_sample(node: fx.Node, name: str) -> None:
    """An exported program brings its batch with it: a number, or a symbol."""
    value = node.meta["val"]
    if isinstance(value, Tensor) and not (is_fixed(value.shape[0]) and hint(value.shape[0]) == ALONE):
        found = hint(value.shape[0]) if is_fixed(value.shape[0]) else "any size"
        raise CaptureError(
            f"{name} is a program for a batch of {found}, which holds no graph of one sample: export it with a batch "
            "of 1, or with one that is free to all of it"
        )


def _require_operator(node: fx.Node) -> None:
    if isinstance(node.target, HigherOrderOperator):
        raise CaptureError(
            f"'{layer_name(node)}' calls '{node.target}', which runs a graph of its own as values have it, or in a way "
            "of its own: write it out by operators on tensors, a loop with a fixed number of steps"
        )


def _require_independent_samples(node: fx.Node) -> None:
    if node.target in BATCH_STATISTICS and not _single_sample(node):
        raise CaptureError(
            f"'{layer_name(node)}' normalises by statistics of the batch, so a sample's explanation would depend "
            "on its neighbours: use a BatchNorm with running statistics (track_running_stats=True) in eval mode"
        )


def _single_sample(node: fx.Node) -> bool:
    """Instance normalisation is a batch normalisation over samples folded into channels, with a batch of 1."""
    value = node.args[0].meta.get("val") if isinstance(node.args[0], fx.Node) else None
    return isinstance(value, Tensor) and value.shape[0] == 1


def _require_derivative(node: fx.Node) -> None:
    if node.target in WITHOUT_DERIVATIVE:
        raise CaptureError(f"'{layer_name(node)}' {WITHOUT_DERIVATIVE[node.target]}")


def _require_tensors(node: fx.Node, name: str) -> None:
    if node.target in NUMBERS:
        line = user_line(node)
        where = "" if line is None else f" at {line}"
        raise CaptureError(f"{name} {of_a_number(where)}")


def _require_sizes(node: fx.Node) -> None:
    if any(free_unbacked_symbols(size) for value in _tensors(node) for size in value.shape):
        advice = (
            EXPERTS if is_of_experts(layer_name(node)) else "keep the shape, for example by torch.where with a mask"
        )
        line = user_line(node)
        where = f"'{layer_name(node)}'" + (f" at {line}" if line else "")
        raise CaptureError(
            f"the shape of what '{node.target}' returns in {where} depends on values, so no graph can be captured: "
            f"{advice}"
        )


def _require_own_gradient(node: fx.Node) -> None:
    """PyTorch's nearest-neighbour interpolation of signals and volumes reads at other places backward than forward."""
    if node.target not in (aten.upsample_nearest1d.vec, aten.upsample_nearest3d.vec):
        return
    source: Any = node.args[0]
    factors: Any = node.args[2] or ()
    sizes = zip(source.meta["val"].shape[2:], node.meta["val"].shape[2:], factors, strict=False)
    for size, output, factor in sizes:
        if factor != int(factor) and hint(output) in (hint(size), 2 * hint(size)):
            raise CaptureError(
                f"PyTorch's gradient of the interpolation '{layer_name(node)}' by {factor} from {hint(size)} to "
                f"{hint(output)} places is not that of what it computes: give interpolate size= in place of "
                "scale_factor=, or recompute_scale_factor=True"
            )


def _require_determinism(node: fx.Node) -> None:
    if is_random(node):
        raise CaptureError(
            f"'{node.target}' in '{layer_name(node)}' draws random numbers, so an input has no explanation of its "
            "own: pass training=self.training to dropout, and draw no noise in eval mode"
        )


def _tensors(node: fx.Node) -> Iterator[Tensor]:
    return (leaf for leaf in pytree.tree_leaves(node.meta.get("val")) if isinstance(leaf, Tensor))
