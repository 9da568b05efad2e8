"""A constant table read at an input's integers: nothing to differentiate, so the bias is what was read."""

from __future__ import annotations

from collections.abc import Container, Mapping

import torch
from torch import Tensor, fx

from fgcompile.biases.rule import Application, Bias, Call, Homogeneous, Implicit, Rule, bind
from fgcompile.shapes import is_differentiable

aten = torch.ops.aten

TABLES: Mapping[torch._ops.OpOverload, str] = {
    aten.embedding.default: "weight",
    aten.index.Tensor: "self",
    aten.index_select.default: "self",
    aten.gather.default: "self",
}
"""Operators that read a table, and the name of that argument."""


def _read(application: Application) -> Tensor:
    """``J = 0``, so ``b = y``."""
    return application.output


def _lookup(call: Call) -> Bias:
    return Homogeneous(1) if call.is_active("weight") else Implicit(_read)


LOOKUP = Rule("embedding", _lookup, "y, of a constant table; nothing for an active one")

EMBEDDING: dict[torch._ops.OpOverload, Rule] = {aten.embedding.default: LOOKUP}


def is_lookup(node: fx.Node, constants: Container[fx.Node]) -> bool:
    """Whether a node reads a table of floats, a constant, at something that is none: at integers of the input."""
    if node.target not in TABLES or node in constants:
        return False
    table = bind(node)[TABLES[node.target]]  # type: ignore[index]  # an operator of the mapping
    return table in constants and is_differentiable(table.meta["val"])
