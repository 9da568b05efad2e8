"""A model that ends in a softmax or a sigmoid: what it returns saturates where it is sure, and so does the map."""

from __future__ import annotations

import warnings

import torch
from torch import fx

from fgcompile.compiler.ir.graphs import RESHAPES
from fgcompile.compiler.ir.nodes import layer_name, user_line
from fgcompile.compiler.ir.programs import CapturedProgram
from fgcompile.compiler.ir.samples import explained_nodes
from fgcompile.compiler.request import Request
from fgcompile.errors import CaptureWarning

aten = torch.ops.aten

_PROBABILITIES = {"aten._softmax.default": "softmax", "aten.softmax.int": "softmax", "aten.sigmoid.default": "sigmoid"}
_KEPT = {*RESHAPES, aten.squeeze.dim, aten.squeeze.dims, aten.unsqueeze.default, aten.clone.default}


def warn_of_probabilities(program: CapturedProgram, request: Request, stacklevel: int) -> None:
    """Warns if what is explained is the model's only output, by class, and is a softmax or sigmoid of its logits.

    Of a file whose own names say what they are, the logits are explained, or what was asked for.

    Args:
        program: The captured program.
        request: Says what is explained.
        stacklevel: Whose line the warning names, counted from the caller as in ``warnings.warn``.
    """
    if program.scored or request.output is not None or program.explained is not None:
        return
    for node in explained_nodes(program, None):
        last = _last_operator(node)
        if (kind := _PROBABILITIES.get(str(last.target))) is not None:
            line = user_line(last)
            where = f"'{layer_name(last)}'" + ("" if line is None else f" at {line}")
            warnings.warn(
                f"the model's output is a {kind} ({where}), whose gradient vanishes where the model is sure, so that a "
                "map says less of these: return what is in front of it, or compile with a score, "
                "target=fgcompile.scores.LogOdds(class)",
                CaptureWarning,
                stacklevel=stacklevel + 1,
            )


def _last_operator(node: fx.Node) -> fx.Node:
    while node.target in _KEPT and isinstance(node.args[0], fx.Node):
        node = node.args[0]
    return node
