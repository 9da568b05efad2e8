"""The captured graph has the model's own gradient: a backward that capturing lost is found before it explains anything.

One backward of the eager model beside one of the graph, of a random weighting of what is explained: the score, or each
output by itself. Values alone would not tell: a hook, or a function with a backward of its own, changes none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn

from fgcompile.compiler.capture.exported_levels import StraightThrough
from fgcompile.compiler.capture.lookups import InGraph, InModel, Leaves
from fgcompile.compiler.capture.parting import find_parting, weighted
from fgcompile.compiler.ir.programs import CapturedProgram
from fgcompile.errors import CaptureError

Gradients = list[Tensor | None]
"""Of one output, with respect to each input and then to what each lookup of an embedding finds."""

TOLERANCE = {torch.float64: 1e-5, torch.float32: 1e-2, torch.float16: 0.2, torch.bfloat16: 0.3}
"""Largest difference of the gradients, relative to the largest of them, by dtype of the input."""

SAMPLES = 2
"""How many samples are tried, since a backward keeps all that the forward computes."""

NOISE = (1e-3, 30.0)
"""How far away the second point is, and how much more than a rounding error's effect a lost backward must be."""

ROUNDINGS = 4
"""How many rounding errors the inputs are off by, where their effect is measured."""


class _Difference(NamedTuple):
    """The output whose gradients differ most, and with respect to what.

    Attributes:
        output: Its position.
        input: The position of the input, or that of a lookup behind the inputs.
        size: How large the difference is, relative to the output's largest gradient.
        tolerance: How large it may be.
    """

    output: int
    input: int
    size: float
    tolerance: float

    @property
    def ratio(self) -> float:
        return self.size / self.tolerance


@dataclass(frozen=True)
class _Point:
    """Where gradients are taken: the inputs, and what is added to embeddings (``lookups.Leaves``)."""

    values: Sequence[Tensor]
    noise: float = 0.0
    roundings: int = 0


def require_same_gradients(captured: CapturedProgram, model: nn.Module, inputs: Sequence[Tensor]) -> None:
    """Compares ``∂f/∂x`` of the model and of the captured graph, where the model's can be had.

    Of integers that are looked up it is the gradient of what is found, ``∂f/∂E[i]``.

    Raises:
        CaptureError: They differ, at the inputs as they are and at inputs nearby; names the input, and the layers
            between which they part.
    """
    point = _Point([value[:SAMPLES].contiguous() for value in inputs])
    found = _difference(captured, model, point)
    if found is None or found.ratio <= 1:
        return
    # At a point where a function has a kink, any of several gradients is right, and a network may amplify rounding
    # errors: what is lost stays lost nearby, and is more than what a small step changes.
    nearby = _moved(point)
    again = _difference(captured, model, nearby)
    if again is None or again.ratio <= 1 or again.size <= NOISE[1] * _change(model, captured, nearby, again.output):
        return
    what = _called(captured, again.input, len(inputs))
    where = find_parting(captured, model, nearby.values, again.output, again.tolerance)
    raise CaptureError(
        f"the gradient of {captured.name} with respect to {what} is not that of the captured graph "
        f"({again.size:.0e} of the largest){where}: a hook of a layer or tensor changes it, places that are written "
        "twice, or an operator with a backward of its own that capturing cannot keep: remove it while compiling, or "
        "write it as a torch.autograd.Function"
    )


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


def _difference(captured: CapturedProgram, model: nn.Module, point: _Point) -> _Difference | None:
    """The largest difference, each output's relative to its own largest gradient; None where there is none to see."""
    eager = _gradients(model, captured, point)
    if eager is None:
        return None
    graph = _gradients(captured.graph_module, captured, point) or [[None] * len(of) for of in eager]
    worst: _Difference | None = None
    for output, (expected, actual) in enumerate(zip(eager, graph, strict=True)):
        if len(actual) != len(expected):  # lookups that the graph has more or fewer of, since some lead nowhere
            expected, actual = expected[: len(point.values)], actual[: len(point.values)]
        size = max(_largest(expected), _largest(actual))
        for index, pair in enumerate(zip(expected, actual, strict=True)):
            known = [gradient for gradient in pair if gradient is not None]
            if not known:
                continue
            one, other = (torch.zeros_like(known[0]) if gradient is None else gradient for gradient in pair)
            difference = (one.double() - other.double()).abs().max().item() / size if size else 0.0
            if difference != difference:
                return None  # no number: nothing to compare with
            found = _Difference(output, index, difference, TOLERANCE.get(known[0].dtype, 1.0))
            worst = found if worst is None or found.ratio > worst.ratio else worst
    return worst


def _largest(gradients: Gradients) -> float:
    return max((gradient.abs().max().item() for gradient in gradients if gradient is not None), default=0.0)


def _change(model: nn.Module, captured: CapturedProgram, at: _Point, output: int) -> float:
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
    pairs = [
        (a.double(), b.double())
        for a, b in zip(first[output], second[output], strict=True)
        if a is not None and b is not None
    ]
    size = max((a.abs().max().item() for a, _ in pairs), default=0.0)
    return max(((a - b).abs().max().item() for a, b in pairs), default=0.0) / size if size else 0.0


def _gradients(function: nn.Module, captured: CapturedProgram, point: _Point) -> list[Gradients] | None:
    """``∂ <w, f>/∂x`` of each output for each input and then each lookup, ``w`` random; None where there is none."""
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
        with torch.enable_grad(), StraightThrough():
            for leaf in leaves:
                leaf.requires_grad_(leaf.is_floating_point())
            # Copies, since a model may write into its inputs, and autograd lets nobody write into a leaf.
            with watched:
                result = run(*(leaf.clone() for leaf in leaves))
            totals = weighted(result, captured.scored)
            ends = [*leaves, *found.tensors]
            if not any(end.requires_grad for end in ends) or all(total is None for total in totals):
                return None
            return [_of_each(total, ends) for total in totals]
    except RuntimeError:  # what autograd refuses: a checkpoint with reentry, tensors made in inference mode
        return None


def _of_each(total: Tensor | None, ends: Sequence[Tensor]) -> Gradients:
    """The gradient of one weighted output, None for what it does not depend on."""
    if total is None:
        return [None] * len(ends)
    wanted = [end for end in ends if end.requires_grad]
    found = iter(torch.autograd.grad(total, wanted, allow_unused=True, retain_graph=True))
    return [next(found) if end.requires_grad else None for end in ends]
