"""Embeddings as ends of the gradient: where integers are looked up, a leaf is added to what is found, ``y = E[i] + e``.

The model is watched as it runs, the graph as it is interpreted; with ``e = 0`` both return what they did, and
``∂f/∂e`` is the gradient that reaches the embedding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx
from torch.overrides import TorchFunctionMode

EMBEDDINGS = ("embedding",)
"""What ``torch.nn.functional.embedding`` and ``torch.embedding`` are called."""


@dataclass
class Leaves:
    """The leaves of one run, in the order of the lookups.

    Attributes:
        noise: How large ``e`` is beside what is found, of a noise that is the same in every run.
        roundings: By how many rounding errors ``e`` changes it besides.
        tensors: Those that were made.
    """

    noise: float = 0.0
    roundings: int = 0
    tensors: list[Tensor] = field(default_factory=list)

    def added_to(self, found: Any) -> Any:
        """What was found with a new leaf added, where it is of floating point."""
        if not isinstance(found, Tensor) or not found.is_floating_point():
            return found
        value = found.detach()
        generator = torch.Generator().manual_seed(len(self.tensors))
        step = torch.randn(value.shape, generator=generator, dtype=torch.float64).to(value)
        leaf = self.noise * step * (value.std(correction=0) + value.abs().mean() + 1e-3)
        leaf = leaf + self.roundings * torch.finfo(value.dtype).eps * value
        self.tensors.append(leaf.requires_grad_())
        return found + leaf


class InModel(TorchFunctionMode):
    """While it is open, lookups of this thread get a leaf each."""

    def __init__(self, leaves: Leaves) -> None:
        super().__init__()
        self._leaves = leaves

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        found = func(*args, **(kwargs or {}))
        return self._leaves.added_to(found) if getattr(func, "__name__", "") in EMBEDDINGS else found


class InGraph(fx.Interpreter):
    """Evaluates a graph whose lookups get a leaf each."""

    def __init__(self, graph_module: fx.GraphModule, leaves: Leaves) -> None:
        super().__init__(graph_module)
        self._leaves = leaves

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        found = super().call_function(target, args, kwargs)
        return self._leaves.added_to(found) if target is torch.ops.aten.embedding.default else found
