"""The captured graph has the model's own gradient: a backward that capturing lost is found before it explains anything.

One backward of the eager model beside one of the graph, of a random weighting of what is explained. Values alone would
not tell: a hook, or a function with a backward of its own, changes none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, fx, nn

from fgcompile.compiler.capture.lookups import InGraph, InModel, Leaves
from fgcompile.compiler.ir.programs import CapturedProgram
from fgcompile.compiler.ir.torch_internals import pytree
from fgcompile.errors import CaptureError

Gradients = list[Tensor | None]

TOLERANCE = {torch.float64: 1e-5, torch.float32: 1e-2, torch.float16: 0.2, torch.bfloat16: 0.3}
"""Largest difference of the gradients, relative to the largest of them, by dtype of the input."""

SAMPLES = 2
"""How many samples are tried, since a backward keeps all that the forward computes."""

NOISE = (1e-3, 30.0)
"""How far away the second point is, and how much more than a rounding error's effect a lost backward must be."""

ROUNDINGS = 4
"""How many rounding errors the inputs are off by, where their effect is measured."""


def require_same_gradients(captured: CapturedProgram, model: nn.Module, inputs: Sequence[Tensor]) -> None:
    """Compares ``∂f/∂x`` of the model and of the captured graph, where the model's can be had.

    Of integers that are looked up it is the gradient of what is found, ``∂f/∂E[i]``.

    Raises:
        CaptureError: They differ, at the inputs as they are and at inputs nearby; names the input.
    """
    point = _Point([value[:SAMPLES].contiguous() for value in inputs])
    found = _difference(captured, model, point)
    if found is None or found[1] <= 1:
        return
    # At a point where a function has a kink, any of several gradients is right, and a network may amplify rounding
    # errors: what is lost stays lost nearby, and is more than what a small step changes.
    nearby = _moved(point)
    again = _difference(captured, model, nearby)
    if again is None or again[1] <= 1 or again[2] <= NOISE[1] * _change(model, captured, nearby):
        return
    what = _called(captured, again[0], len(inputs))
    raise CaptureError(
        f"the gradient of {captured.name} with respect to {what} is not that of the captured graph ({again[2]:.0e} of "
        "the largest): a hook of a layer or tensor changes it, or an operator with a backward of its own that "
        "capturing cannot keep: remove it while compiling, or write it as a torch.autograd.Function"
    )


@dataclass(frozen=True)
class _Point:
    """Where gradients are taken: the inputs, and what is added to embeddings (``lookups.Leaves``)."""

    values: Sequence[Tensor]
    noise: float = 0.0
    roundings: int = 0


def _moved(point: _Point) -> _Point:
    """A point nearby."""
    generator = torch.Generator().manual_seed(0)
    nearby = list(point.values)
    for index, value in enumerate(nearby):
        if value.is_floating_point():
            step = torch.randn(value.shape, generator=generator, dtype=torch.float64).to(value)
            nearby[index] = value + NOISE[0] * step * (value.std(correction=0) + value.abs().mean() + 1e-3)
    return _Point(nearby, noise=NOISE[0])


def _called(captured: CapturedProgram, index: int, inputs: int) -> str:
    """What a gradient is taken with respect to, in words."""
    if index >= inputs:
        return f"what its lookup {index - inputs + 1} of an embedding finds"
    return f"'{captured.inputs[index] if index < len(captured.inputs) else 'x'}'"


def _difference(captured: CapturedProgram, model: nn.Module, point: _Point) -> tuple[int, float, float] | None:
    """The input whose gradients differ most: by how many tolerances, and relative to the largest gradient."""
    eager = _gradients(model, captured, point)
    if eager is None:
        return None
    graph = _gradients(captured.graph_module, captured, point)
    if graph is None:
        graph = [None] * len(eager)
    if len(graph) != len(eager):  # lookups that the graph has more or fewer of, since some lead nowhere
        eager, graph = eager[: len(point.values)], graph[: len(point.values)]
    largest = max((gradient.abs().max().item() for gradient in eager if gradient is not None), default=0.0)
    own = max((gradient.abs().max().item() for gradient in graph if gradient is not None), default=0.0)
    size = max(largest, own)
    worst = None
    for index, pair in enumerate(zip(eager, graph, strict=True)):
        known = [gradient for gradient in pair if gradient is not None]
        if not known:
            continue
        one, other = (torch.zeros_like(known[0]) if gradient is None else gradient for gradient in pair)
        difference = (one.double() - other.double()).abs().max().item() / size if size else 0.0
        if difference != difference:
            return None  # no number: nothing to compare with
        ratio = difference / TOLERANCE.get(known[0].dtype, 1.0)
        if worst is None or ratio > worst[1]:
            worst = (index, ratio, difference)
    return worst


def _change(model: nn.Module, captured: CapturedProgram, at: _Point) -> float:
    """How much one rounding error of the inputs changes the model's own gradient, relative to it.

    All of it, where the gradient is zero but for rounding: of the sum of what a LayerNorm returns.
    """
    near = [
        value * (1 + ROUNDINGS * torch.finfo(value.dtype).eps) if value.is_floating_point() else value
        for value in at.values
    ]
    first = _gradients(model, captured, at)
    second = _gradients(model, captured, replace(at, values=near, roundings=ROUNDINGS))
    if first is None or second is None:
        return float("inf")
    pairs = [(a.double(), b.double()) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    size = max((a.abs().max().item() for a, _ in pairs), default=0.0)
    return max(((a - b).abs().max().item() for a, b in pairs), default=0.0) / size if size else 0.0


def _gradients(function: nn.Module, captured: CapturedProgram, point: _Point) -> Gradients | None:
    """``∂ <w, f>/∂x`` for each input and then each lookup, ``w`` random; None where no gradient can be computed."""
    leaves = [value.detach().clone() for value in point.values]
    found = Leaves(point.noise, point.roundings)
    watched: AbstractContextManager[object] = nullcontext()
    run: Callable[..., Any] = function
    if not all(leaf.is_floating_point() for leaf in leaves):
        if isinstance(function, fx.GraphModule):
            run = InGraph(function, found).run
        else:
            watched = InModel(found)
    try:
        with torch.enable_grad():
            for leaf in leaves:
                leaf.requires_grad_(leaf.is_floating_point())
            # Copies, since a model may write into its inputs, and autograd lets nobody write into a leaf.
            with watched:
                output = run(*(leaf.clone() for leaf in leaves))
            total = _weighted(output, captured.scored)
            wanted = [*(leaf for leaf in leaves if leaf.requires_grad), *found.tensors]
            if total is None or not wanted:
                return None
            gradients = iter(torch.autograd.grad(total, wanted, allow_unused=True))
    except RuntimeError:  # what autograd refuses: a checkpoint with reentry, tensors made in inference mode
        return None
    return [*(next(gradients) if leaf.requires_grad else None for leaf in leaves), *gradients]


def _weighted(structure: Any, scored: bool) -> Tensor | None:
    """``<w, f>``; of a model with its score, the score's alone, since what other outputs lose concerns nobody."""
    outputs = [leaf for leaf in pytree.tree_leaves(structure) if isinstance(leaf, Tensor)]
    generator = torch.Generator().manual_seed(0)
    parts = []
    for output in outputs[-1:] if scored else outputs:
        # Weights for every output, since one that parameters alone decide has a gradient in the model and none here.
        weights = torch.randn(output.shape, generator=generator, dtype=torch.float64).to(output)
        if output.requires_grad and output.is_floating_point():
            parts.append((weights * output).sum().double())
    return sum(parts[1:], parts[0]) if parts else None
