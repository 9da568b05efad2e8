"""PyTorch's converter of TorchScript, stopped where it has made a graph of PyTorch's operators."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx
from torch._export.converter import TS2EPConverter


class _MadeError(Exception):
    """Carries the graph out of the converter, which would go on and export it, every size dynamic."""

    def __init__(self, graph_module: fx.GraphModule) -> None:
        super().__init__()
        self.graph_module = graph_module


class _Converter(TS2EPConverter):
    def retrace_as_exported_program(self, gm: fx.GraphModule, name_to_constant: dict[str, Any]) -> Any:
        raise _MadeError(gm)


def as_graph_module(module: torch.jit.ScriptModule, inputs: tuple[Tensor, ...]) -> fx.GraphModule:
    """A scripted or traced module as one of PyTorch's operators."""
    try:
        _Converter(module, inputs).convert()
    except _MadeError as made:
        return made.graph_module
    raise AssertionError("the converter exports what it made")
