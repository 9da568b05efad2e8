"""Warns of normalisations by the input's own statistics, through which true gradients say little about the input.

Such a normalisation is of degree 0 (``J a ≈ 0``), so its own bias is nearly all of its output: what is upstream of it
gets next to nothing of the score.
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Container, Sequence

import torch
from torch import fx

from fgcompile.compiler.ir.nodes import bind, layer_name
from fgcompile.compiler.ir.programs import CapturedProgram
from fgcompile.compiler.ir.samples import nodes_on_the_way
from fgcompile.compiler.rules.normalization import NORMALIZATION
from fgcompile.errors import RulesWarning

aten = torch.ops.aten

STATISTICS = (
    aten.linalg_vector_norm.default,
    aten.mean.dim,
    aten.var.correction,
    aten.var_mean.correction,
)
SCALED = (
    operator.getitem,
    aten.add.Tensor,
    aten.add.Scalar,
    aten.mul.Tensor,
    aten.clamp.default,
    aten.clamp.Tensor,
    aten.maximum.default,
    aten.pow.Tensor_Scalar,
    aten.sqrt.default,
    aten.expand.default,
    aten.reshape.default,
    aten.unsqueeze.default,
    aten.clone.default,
    aten._to_copy.default,
)
"""What stands between a statistic and the division by it; their first operand is what they scale."""


def normalised_layers(program: CapturedProgram, output: str | int | None) -> tuple[str, ...]:
    """The layers that normalise by their input's own statistics on the way to the score, in order.

    Args:
        program: The captured program, before any rule set.
        output: Which output is explained.
    """
    on_the_way = nodes_on_the_way(program, output)
    nodes = (node for node in program.graph_module.graph.nodes if node in on_the_way)
    return tuple(dict.fromkeys(layer_name(node) for node in nodes if _normalizes(node, on_the_way)))


def absorption(layers: Sequence[str]) -> str:
    """That a model has such layers, in words."""
    others = f" and {len(layers) - 1} more" if len(layers) > 1 else ""
    return f"the model normalises by the input's own statistics ('{layers[0]}'{others})"


def warn_of_absorption(layers: Sequence[str], rules: str, stacklevel: int) -> None:
    """Warns once, under the rules ``taylor``, if a normalisation by the input's own statistics is on the way.

    Args:
        layers: Those that do.
        rules: The rule set.
        stacklevel: Whose line the warning names, counted from the caller of this function as in ``warnings.warn``.
    """
    if rules == "taylor" and layers:
        warnings.warn(
            f"{absorption(layers)}, whose bias under rules='taylor' absorbs nearly all that is upstream of it, so that "
            "the terms there cancel and little of the score is attributed to the input: use rules='libragrad' with "
            "psi='signed', or leave both at 'auto'",
            RulesWarning,
            stacklevel=stacklevel + 1,
        )


def _normalizes(call: fx.Node, on_the_way: Container[fx.Node]) -> bool:
    """Whether the call normalises, or divides by a statistic that is not held constant."""
    if call.target in NORMALIZATION:
        return True
    if call.target is aten.div.Tensor:
        return call.args[1] in on_the_way and _is_statistic(call.args[1], rooted=False)
    if call.target is aten.pow.Tensor_Scalar:
        exponent = bind(call)["exponent"]
        return isinstance(exponent, int | float) and exponent < 0 and _is_statistic(call.args[0], rooted=True)
    return call.target is aten.rsqrt.default and _is_statistic(call.args[0], rooted=True)


def _is_statistic(value: fx.node.Argument, rooted: bool) -> bool:
    """Whether a value scales a norm, mean or variance, or the root of a sum."""
    # √(Σ x²) is a norm, but Σ x alone may be anything, such as the denominator of a hand-written softmax.
    while isinstance(value, fx.Node) and value.target in SCALED:
        rooted = rooted or value.target is aten.sqrt.default
        value = value.args[0]
    statistics = (*STATISTICS, aten.sum.dim_IntList) if rooted else STATISTICS
    return isinstance(value, fx.Node) and value.target in statistics
