"""One run of a model: the shapes of what its layers return; and where it fails, in which layer, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from fgcompile.compiler.capture.scored import unwrapped_name
from fgcompile.compiler.ir.torch_internals import pytree

Failure = tuple[str, Exception]
"""The innermost layer that the model was in, and what it raised there."""


@dataclass
class LayerRun:
    """What a run was seen to do.

    Attributes:
        failure: Where it failed; None where it did not.
        shapes: Those of each layer's outputs, in the order in which they returned.
    """

    failure: Failure | None = None
    shapes: list[tuple[torch.Size, ...]] = field(default_factory=list)


def run_layers(model: nn.Module, inputs: Sequence[Tensor]) -> LayerRun:
    """Runs a model, without gradients."""
    run = LayerRun()
    with torch.no_grad(), _calls(model, run) as stack:
        try:
            model(*inputs)
        except Exception as error:  # whatever a model raises at a size that it does not take
            run.failure = stack[-1] if stack else type(model).__name__, error
    return run


@contextmanager
def _calls(model: nn.Module, run: LayerRun) -> Iterator[list[str]]:
    """The names of the layers that are being called, outermost first; after an error, those that it came from."""
    stack: list[str] = []
    handles = []
    for name, module in model.named_modules():
        called = unwrapped_name(name) or type(model).__name__

        def enter(_module: nn.Module, _inputs: Any, called: str = called) -> None:
            stack.append(called)

        def leave(_module: nn.Module, _inputs: Any, output: Any) -> None:
            stack.pop()
            run.shapes.append(tuple(leaf.shape for leaf in pytree.tree_leaves(output) if isinstance(leaf, Tensor)))

        handles += [module.register_forward_pre_hook(enter), module.register_forward_hook(leave)]
    try:
        yield stack
    finally:
        for handle in handles:
            handle.remove()
