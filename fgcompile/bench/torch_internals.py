"""The private names of PyTorch that cutting a TorchScript graph takes; ``torch.jit`` is no longer developed."""

from __future__ import annotations

from typing import Any

import torch


def eliminate_dead_code(graph: Any) -> None:
    """Removes what the outputs of a ``torch.Graph`` do not need, in place."""
    torch._C._jit_pass_dce(graph)


def as_function(graph: Any) -> Any:
    """A ``torch.Graph`` as a function that can be saved."""
    return torch._C._create_function_from_graph("forward", graph)
