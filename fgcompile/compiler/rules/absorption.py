"""Warns of normalisations by the input's own statistics, through which true gradients say little about the input.

Such a normalisation is of degree 0 (``J a ≈ 0``), so its own bias is nearly all of its output: what is upstream of it
gets next to nothing of the score.
"""

from __future__ import annotations

import operator
import warnings
from collections.abc import Iterable

import torch
from torch import fx

from fgcompile.compiler.ir.nodes import bind, call_of
from fgcompile.compiler.ir.programs import BiasedProgram
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


def warn_of_absorption(program: BiasedProgram, reached: Iterable[str], rules: str, stacklevel: int) -> None:
    """Warns once, under the rules ``taylor``, if a normalisation by the input's own statistics is among the sites.

    Args:
        program: The exposed program.
        reached: The names of the sites on a path to the score.
        rules: The rule set.
        stacklevel: Whose line the warning names, counted from the caller of this function as in ``warnings.warn``.
    """
    if rules != "taylor":
        return
    nodes = {node.name: node for node in program.graph_module.graph.nodes}
    layers = [
        name
        for name in reached
        if name in program.implicit and _normalizes(call_of(nodes[program.implicit[name].node]))
    ]
    if layers:
        others = f" and {len(layers) - 1} more" if len(layers) > 1 else ""
        warnings.warn(
            f"the model normalises by the input's own statistics ('{layers[0].partition(':')[0]}'{others}), whose bias "
            "under rules='taylor' absorbs nearly all that is upstream of it, so that the terms there cancel and little "
            "of the score is attributed to the input: use rules='libragrad'",
            RulesWarning,
            stacklevel=stacklevel + 1,
        )


def _normalizes(call: fx.Node) -> bool:
    """Whether the call normalises, or divides by a statistic."""
    if call.target in NORMALIZATION:
        return True
    if call.target is aten.div.Tensor:
        return _is_statistic(call.args[1], rooted=False)
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
