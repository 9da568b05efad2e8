"""The score that is explained: one scalar per sample and question, selected from the model's output."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import SymInt, Tensor

from fgcompile.compiler.ir.model_output import explained
from fgcompile.compiler.ir.nodes import is_differentiable
from fgcompile.compiler.request import Request, Target
from fgcompile.errors import InputError, ScoreError

Score = Callable[[Any], Tensor]
"""Maps the model's output, in its own structure, to one scalar per sample ``(N,)``."""


def score_function(
    target: Target, chosen: Tensor | None = None, output: str | int | None = None, copies: int = 1
) -> Score:
    """The function from the model's output to the score ``(N,)``, for targets that are elements of an output.

    Args:
        target: What was asked for when compiling. A callable is part of the captured program.
        chosen: The element of each sample, int64 ``(N,)`` or ``(N, r)``, see ``resolve``; with ``target=None`` only.
        output: Which of the model's outputs is explained.
        copies: How many rows in succession are versions of one sample, whose predicted element is the first row's.

    Raises:
        ScoreError: When called: the output is not ``(N, …)`` logits, or the class is not one of them.
    """
    if isinstance(target, int):
        return lambda structure: _fixed(explained(structure, output), target)

    def place(first: Tensor) -> Tensor:
        return _largest(first) if target == "predicted" else resolve(_given(chosen), first)

    return _selecting(place, output, copies)


def score_functions(request: Request, chosen: Tensor | None, copies: int = 1) -> list[Score]:
    """A score for each question of a request; one where it has no ``targets``.

    Args:
        request: What is asked for.
        chosen: The elements, int64 ``(N[, T][, r])``; with ``target=None`` only.
        copies: As for ``score_function``.
    """
    if request.targets is None:
        return [score_function(request.target, chosen, request.output, copies)]
    if request.target == "predicted":
        count = request.targets
        assert isinstance(count, int)
        return [_selecting(_of_largest(count, index), request.output, copies) for index in range(count)]
    elements = _given(chosen).unbind(1)
    return [score_function(None, element, request.output, copies) for element in elements]


def _of_largest(count: int, index: int) -> Callable[[Tensor], Tensor]:
    return lambda first: largest_places(first, count).select(1, index)


def largest_places(logits: Tensor, count: int) -> Tensor:
    """The places in ``logits.flatten(1)`` of the largest, int64 ``(N, T)``, falling, of equals the first in front."""
    require_as_many(logits, count)
    # topk leaves the order of equals to the runtime, and even to the batch: argmax takes the first everywhere.
    left = logits.detach().flatten(1)
    indices = torch.arange(left.shape[1], device=left.device).unsqueeze(0)
    places: list[Tensor] = []
    for _ in range(count):
        places.append(left.argmax(1))
        left = torch.where(indices == places[-1].unsqueeze(1), torch.finfo(left.dtype).min, left)
    return torch.stack(places, 1)


def _selecting(place: Callable[[Tensor], Tensor], output: str | int | None, copies: int) -> Score:
    def select(structure: Any) -> Tensor:
        logits = class_logits(explained(structure, output))
        first = logits if copies == 1 else logits.reshape(-1, copies, *logits.shape[1:]).select(1, 0)
        classes = place(first)
        if copies > 1:
            classes = classes.unsqueeze(1).expand(-1, copies).reshape(-1)
        return _selected(logits, classes)

    return select


def _given(chosen: Tensor | None) -> Tensor:
    assert chosen is not None
    return chosen


def resolve(chosen: Tensor, logits: Tensor) -> Tensor:
    """The element of each sample as its place in ``logits.flatten(1)``, int64 ``(N,)``.

    Args:
        chosen: One index for each axis behind the batch, ``(N, r)``, or ``(N,)`` of logits ``(N, K)``. −1 in the last
            place stands for the largest there, −1 in all for the largest of all. Other indices that there are not
            are no element: their place is −1, which selects nothing, so that score and map are 0.
        logits: ``(N, d_1, …, d_r)``.
    """
    if logits.ndim == 2:
        return torch.where(chosen < 0, logits.detach().argmax(1), chosen)
    values, last = logits.detach(), logits.shape[-1]
    row, there = chosen[:, 0], chosen[:, -1] < last
    for axis, size in enumerate(logits.shape[1:-1]):
        row = row * size + chosen[:, axis] if axis else row
        there = there & (chosen[:, axis] >= 0) & (chosen[:, axis] < size)
    # Of a sample that asks for the largest of all the row is of no use, and no row at all.
    row = torch.where(there, row, 0)
    of_row = values.flatten(1, -2).gather(1, row.reshape(-1, 1, 1).expand(-1, 1, last)).squeeze(1).argmax(1)
    place = row * last + torch.where(chosen[:, -1] < 0, of_row, chosen[:, -1])
    return torch.where(chosen.amax(1) < 0, _largest(logits), torch.where(there, place, -1))


def _largest(logits: Tensor) -> Tensor:
    return (logits if logits.ndim == 2 else logits.flatten(1)).detach().argmax(1)


def as_indices(place: Tensor, logits: Tensor) -> Tensor:
    """Places in ``logits.flatten(1)`` of any shape as one index for each axis, behind; themselves of ``(N, K)``."""
    if logits.ndim == 2:
        return place
    indices = []
    for size in reversed(logits.shape[1:]):
        indices.append(place % size)
        place = place // size
    return torch.stack(indices[::-1], -1)


def class_logits(output: Any) -> Tensor:
    """The model's output as logits ``(N, …)``, of which each is a question.

    Raises:
        ScoreError: It is something else, so only a callable target can say what to explain.
    """
    if isinstance(output, Tensor) and output.is_complex():
        raise ScoreError(
            "the model's output is complex, and what is explained is a real number: name another, output=, or pass "
            "target=score, a function of it such as its magnitude"
        )
    if isinstance(output, Tensor) and output.ndim >= 2:
        return output
    if isinstance(output, Tensor) and output.ndim == 1:
        raise ScoreError(
            "the model's output has shape (N,), one number a sample and no class: explain it itself by "
            "target=Value(), of fgcompile.scores, or a function of it, target=score"
        )
    found = f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else f"type {type(output).__name__}"
    raise ScoreError(
        f"the model's output has {found}, not (N, K) class logits, nor (N, …) of more axes: "
        "pass target=score, a function from the output to one scalar per sample (N,)"
    )


def target_shape(output: Any, targets: int | SymInt | None) -> tuple[int | SymInt, ...]:
    """What the input ``target`` has behind the batch: ``()``, ``(r,)``, ``(T,)`` or ``(T, r)``.

    Raises:
        InputError: More questions are asked than the output has elements.
        ScoreError: The output is no logits.
    """
    rank = class_logits(output).ndim - 1
    if isinstance(targets, int):
        require_as_many(output, targets)
    return (*([] if targets is None else [targets]), *([rank] if rank > 1 else []))


def require_as_many(logits: Tensor, targets: int) -> None:
    """Refuses more questions than the output has elements, as far as its sizes are known.

    Raises:
        InputError: There are more.
    """
    sizes = [size for size in logits.shape[1:] if isinstance(size, int)]
    if len(sizes) == logits.ndim - 1 and targets > math.prod(sizes):
        raise InputError(f"targets is {targets}, and the model's output has {math.prod(sizes)} values for a sample")


def _selected(logits: Tensor, places: Tensor) -> Tensor:
    """``Σ_k logits_k [k = place]``: a mask instead of a gather, whose gradient would be a scatter."""
    flat = logits if logits.ndim == 2 else logits.flatten(1)
    indices = torch.arange(flat.shape[1], device=flat.device)
    mask = (indices.unsqueeze(0) == places.unsqueeze(1)).to(flat.dtype)
    return (flat * mask).sum(1)


def _fixed(output: Any, index: int) -> Tensor:
    logits = class_logits(output)
    if logits.ndim > 2:
        raise ScoreError(
            f"target {index} is a class of (N, K) logits, and the model's output has shape {tuple(logits.shape)}: "
            "leave target out, to give an index for each axis at run time, or pass a function, as of fgcompile.scores"
        )
    if not 0 <= index < logits.shape[1]:
        raise ScoreError(f"target {index} is out of range: the model has classes 0 to {logits.shape[1] - 1}")
    return logits[:, index]


def floating_dtype(values: Iterable[Tensor]) -> torch.dtype:
    """The dtype of the first floating-point tensor, or of the parts of complex numbers.

    Raises:
        ScoreError: There is none.
    """
    for value in values:
        if is_differentiable(value):
            return value.dtype.to_real() if value.is_complex() else value.dtype
    raise ScoreError("the model has neither a floating-point input nor an embedding of an integer one to explain")
