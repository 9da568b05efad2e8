"""The captured graph has the model's own gradient: a backward that capturing lost is found before it explains anything.

One backward of the eager model beside one of the graph, of a random weighting of what is explained: the score, or each
output by itself. Values alone would not tell: a hook, or a function with a backward of its own, changes none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from fgcompile.compiler.capture.parting import find_parting, weighted
from fgcompile.compiler.ir.programs import CapturedProgram
from fgcompile.errors import CaptureError

Gradients = list[Tensor | None]
"""Of one output, with respect to each input."""


TOLERANCE = {torch.float64: 1e-5, torch.float32: 1e-2, torch.float16: 0.2, torch.bfloat16: 0.3}
"""Largest difference of the gradients, relative to the largest of them, by dtype of the input."""

SAMPLES = 2
"""How many samples are tried, since a backward keeps all that the forward computes."""

NOISE = (1e-3, 30.0)
"""How far away the second point is, and how much more than a rounding error's effect a lost backward must be."""


class _Difference(NamedTuple):
    """The output and the input whose gradients differ most: by how many tolerances, and of the largest gradient."""

    output: int
    input: int
    ratio: float
    size: float


def require_same_gradients(captured: CapturedProgram, model: nn.Module, inputs: Sequence[Tensor]) -> None:
    """Compares ``∂f/∂x`` of the model and of the captured graph, where the model's can be had.

    Raises:
        CaptureError: They differ, at the inputs as they are and at inputs nearby; names the input, and the layers
            between which they part.
    """
    given = [value[:SAMPLES].contiguous() for value in inputs]
    floats = [index for index, value in enumerate(given) if value.is_floating_point()]
    found = _difference(captured, model, given)
    if found is None or found.ratio <= 1:
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
    if again is None or again.ratio <= 1 or again.size <= NOISE[1] * _change(model, captured, nearby, again.output):
        return
    name = captured.inputs[again.input] if again.input < len(captured.inputs) else "x"
    where = find_parting(captured, model, nearby, again.output, TOLERANCE.get(nearby[again.input].dtype, 1.0))
    raise CaptureError(
        f"the gradient of {captured.name} with respect to '{name}' is not that of the captured graph "
        f"({again.size:.0e} of the largest){where}: a hook of a layer or tensor changes it, places that are written "
        "twice, or an operator with a backward of its own that capturing cannot keep: remove it while compiling, or "
        "write it as a torch.autograd.Function"
    )


def _difference(captured: CapturedProgram, model: nn.Module, values: Sequence[Tensor]) -> _Difference | None:
    """The largest difference, each output's relative to its own largest gradient; None where there is none to see."""
    eager = _gradients(model, captured, values)
    if eager is None:
        return None
    graph = _gradients(captured.graph_module, captured, values) or [[None] * len(values) for _ in eager]
    worst = None
    for output, (expected, actual) in enumerate(zip(eager, graph, strict=True)):
        size = max(_largest(expected), _largest(actual))
        for index, (one, other) in enumerate(zip(expected, actual, strict=True)):
            if one is None and other is None:
                continue
            zero = torch.zeros_like(values[index])
            gap = (zero if one is None else one).double() - (zero if other is None else other).double()
            difference = gap.abs().max().item() / size if size else 0.0
            if difference != difference:
                return None  # no number: nothing to compare with
            ratio = difference / TOLERANCE.get(values[index].dtype, 1.0)
            if worst is None or ratio > worst.ratio:
                worst = _Difference(output, index, ratio, difference)
    return worst


def _largest(gradients: Gradients) -> float:
    return max((gradient.abs().max().item() for gradient in gradients if gradient is not None), default=0.0)


def _change(model: nn.Module, captured: CapturedProgram, at: Sequence[Tensor], output: int) -> float:
    """How much one rounding error of the inputs changes the model's own gradient, relative to it.

    All of it, where the gradient is zero but for rounding: of the sum of what a LayerNorm returns.
    """
    near = [value * (1 + 4 * torch.finfo(value.dtype).eps) if value.is_floating_point() else value for value in at]
    first, second = _gradients(model, captured, at), _gradients(model, captured, near)
    if first is None or second is None:
        return float("inf")
    pairs = [
        (a.double(), b.double())
        for a, b in zip(first[output], second[output], strict=True)
        if a is not None and b is not None
    ]
    size = max((a.abs().max().item() for a, _ in pairs), default=0.0)
    return max(((a - b).abs().max().item() for a, b in pairs), default=0.0) / size if size else 0.0


def _gradients(
    function: Callable[..., Any], captured: CapturedProgram, values: Sequence[Tensor]
) -> list[Gradients] | None:
    """``∂ <w, f>/∂x`` of each output for each input, ``w`` random; None where there is none that can be computed."""
    leaves = [value.detach().clone() for value in values]
    wanted = [leaf.requires_grad_() for leaf in leaves if leaf.is_floating_point()]
    if not wanted:
        return None
    try:
        with torch.enable_grad():
            # Copies, since a model may write into its inputs, and autograd lets nobody write into a leaf.
            totals = weighted(function(*(leaf.clone() for leaf in leaves)), captured.scored)
            if not any(total is not None for total in totals):
                return None
            return [_of_each(total, leaves, wanted) for total in totals]
    except RuntimeError:  # what autograd refuses: a checkpoint with reentry, tensors made in inference mode
        return None


def _of_each(total: Tensor | None, leaves: Sequence[Tensor], wanted: Sequence[Tensor]) -> Gradients:
    if total is None:
        return [None] * len(leaves)
    found = iter(torch.autograd.grad(total, wanted, allow_unused=True, retain_graph=True))
    return [next(found) if leaf.is_floating_point() else None for leaf in leaves]
