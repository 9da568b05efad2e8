"""The captured graph has the model's own gradient: a backward that capturing lost is found before it explains anything.

One backward of the eager model beside one of the graph, of a random weighting of what is explained. Values alone would
not tell: a hook, or a function with a backward of its own, changes none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

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


def require_same_gradients(captured: CapturedProgram, model: nn.Module, inputs: Sequence[Tensor]) -> None:
    """Compares ``∂f/∂x`` of the model and of the captured graph, where the model's can be had.

    Raises:
        CaptureError: They differ, at the inputs as they are and at inputs nearby; names the input.
    """
    given = [value[:SAMPLES].contiguous() for value in inputs]
    floats = [index for index, value in enumerate(given) if value.is_floating_point()]
    found = _difference(captured, model, given)
    if found is None or found[1] <= 1:
        return
    # At a point where a function has a kink, any of several gradients is right, and a network may amplify rounding
    # errors: what is lost stays lost nearby, and is more than what a small step changes.
    generator = torch.Generator().manual_seed(0)
    nearby = list(given)
    for index in floats:
        value = given[index]
        step = torch.randn(value.shape, generator=generator, dtype=torch.float64).to(value)
        nearby[index] = value + NOISE[0] * step * (value.std(correction=0) + value.abs().mean() + 1e-3)
    again = _difference(captured, model, nearby)
    if again is None or again[1] <= 1 or again[2] <= NOISE[1] * _change(model, captured, nearby):
        return
    name = captured.inputs[again[0]] if again[0] < len(captured.inputs) else "x"
    raise CaptureError(
        f"the gradient of {captured.name} with respect to '{name}' is not that of the captured graph "
        f"({again[2]:.0e} of the largest): a hook of a layer or tensor changes it, or an operator with a backward of "
        "its own that capturing cannot keep: remove it while compiling, or write it as a torch.autograd.Function"
    )


def _difference(
    captured: CapturedProgram, model: nn.Module, values: Sequence[Tensor]
) -> tuple[int, float, float] | None:
    """The input whose gradients differ most: by how many tolerances, and relative to the largest gradient."""
    eager = _gradients(model, captured, values)
    if eager is None:
        return None
    graph = _gradients(captured.graph_module, captured, values)
    if graph is None:
        graph = [None] * len(eager)
    largest = max((gradient.abs().max().item() for gradient in eager if gradient is not None), default=0.0)
    own = max((gradient.abs().max().item() for gradient in graph if gradient is not None), default=0.0)
    size = max(largest, own)
    worst = None
    for index, (expected, actual) in enumerate(zip(eager, graph, strict=True)):
        if expected is None and actual is None:
            continue
        one = expected if expected is not None else torch.zeros_like(values[index])
        other = actual if actual is not None else torch.zeros_like(values[index])
        difference = (one.double() - other.double()).abs().max().item() / size if size else 0.0
        if difference != difference:
            return None  # no number: nothing to compare with
        ratio = difference / TOLERANCE.get(values[index].dtype, 1.0)
        if worst is None or ratio > worst[1]:
            worst = (index, ratio, difference)
    return worst


def _change(model: nn.Module, captured: CapturedProgram, at: Sequence[Tensor]) -> float:
    """How much one rounding error of the inputs changes the model's own gradient, relative to it.

    All of it, where the gradient is zero but for rounding: of the sum of what a LayerNorm returns.
    """
    near = [value * (1 + 4 * torch.finfo(value.dtype).eps) if value.is_floating_point() else value for value in at]
    first, second = _gradients(model, captured, at), _gradients(model, captured, near)
    if first is None or second is None:
        return float("inf")
    pairs = [(a.double(), b.double()) for a, b in zip(first, second, strict=True) if a is not None and b is not None]
    size = max((a.abs().max().item() for a, _ in pairs), default=0.0)
    return max(((a - b).abs().max().item() for a, b in pairs), default=0.0) / size if size else 0.0


def _gradients(function: Callable[..., Any], captured: CapturedProgram, values: Sequence[Tensor]) -> Gradients | None:
    """``∂ <w, f>/∂x`` for each input, ``w`` random; None where the function has no gradient that can be computed."""
    leaves = [value.detach().clone() for value in values]
    wanted = [leaf.requires_grad_() for leaf in leaves if leaf.is_floating_point()]
    if not wanted:
        return None
    try:
        with torch.enable_grad():
            # Copies, since a model may write into its inputs, and autograd lets nobody write into a leaf.
            total = _weighted(function(*(leaf.clone() for leaf in leaves)), captured.scored)
            if total is None:
                return None
            found = iter(torch.autograd.grad(total, wanted, allow_unused=True))
    except RuntimeError:  # what autograd refuses: a checkpoint with reentry, tensors made in inference mode
        return None
    return [next(found) if leaf.is_floating_point() else None for leaf in leaves]


def _weighted(structure: Any, scored: bool) -> Tensor | None:
    """``<w, f>``; of a model with its score, the score's alone, since what other outputs lose concerns nobody."""
    outputs = [leaf for leaf in pytree.tree_leaves(structure) if isinstance(leaf, Tensor)]
    generator = torch.Generator().manual_seed(0)
    parts = []
    for output in outputs[-1:] if scored else outputs:
        if output.requires_grad and output.is_floating_point():
            weights = torch.randn(output.shape, generator=generator, dtype=torch.float64).to(output)
            parts.append((weights * output).sum().double())
    return sum(parts[1:], parts[0]) if parts else None
