"""What a node of a graph says of itself: the layer it comes from, and whether it draws random numbers."""

from __future__ import annotations

from collections.abc import Container

import torch
from torch import fx
from torch._ops import OpOverload

COMPOSITE = (".container.", ".transformer.", ".rnn.", "MultiheadAttention")
"""PyTorch's own modules that are made of several operators, so that a name needs the operator too."""


def layer_name(node: fx.Node) -> str:
    """The qualified name of the layer that a node comes from; for a function in a module, ``<module>.<operator>``."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    operator = str(node.target).split(".")[1] if "." in str(node.target) else node.name
    operator = operator.strip("_").replace("native_", "").removesuffix("_with_indices")
    if not stack:
        return operator
    path, kind = stack[-1]
    kind = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
    if path and kind.startswith("torch.nn.modules.") and not any(part in kind for part in COMPOSITE):
        return str(path)
    return f"{path}.{operator}" if path else operator


def free_name(name: str, taken: Container[str]) -> str:
    """The name, or where it is taken (``layer_1`` and ``layer.1`` both make ``layer_1``) the first free variant."""
    candidate, count = name, 1
    while candidate in taken:
        count += 1
        candidate = f"{name}__{count}"
    return candidate


def is_random(node: fx.Node) -> bool:
    """Whether two evaluations of the node on the same operands may differ."""
    return isinstance(node.target, OpOverload) and torch.Tag.nondeterministic_seeded in node.target.tags
