"""The score that is explained: one scalar per sample, selected from the model's output."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from fgcompile.compiler.ir.model_output import explained
from fgcompile.compiler.request import Target
from fgcompile.errors import ScoreError


def score_function(
    target: Target, chosen: Tensor | None = None, output: str | int | None = None, copies: int = 1
) -> Callable[[Any], Tensor]:
    """The function from the model's output to the score ``(N,)``, for targets that are classes.

    Args:
        target: What was asked for when compiling. A callable is part of the captured program.
        chosen: The class of each sample, int64 ``(N,)``, −1 for the predicted one; with ``target=None`` only.
        output: Which of the model's outputs is explained.
        copies: How many rows in succession are versions of one sample, whose predicted class is the first row's.

    Raises:
        ScoreError: When called: the output is not ``(N, K)`` logits, or the class is not one of them.
    """
    if isinstance(target, int):
        return lambda structure: _fixed(explained(structure, output), target)

    def select(structure: Any) -> Tensor:
        logits = class_logits(explained(structure, output))
        first = logits if copies == 1 else logits.reshape(-1, copies, logits.shape[1])[:, 0]
        classes = first.detach().argmax(1) if target == "predicted" else resolve(_given(chosen), first)
        if copies > 1:
            classes = classes.unsqueeze(1).expand(-1, copies).reshape(-1)
        return _selected(logits, classes)

    return select


def _given(chosen: Tensor | None) -> Tensor:
    assert chosen is not None
    return chosen


def resolve(chosen: Tensor, logits: Tensor) -> Tensor:
    """The class of each sample, with −1 replaced by the predicted class."""
    return torch.where(chosen < 0, logits.detach().argmax(1), chosen)


def class_logits(output: Any) -> Tensor:
    """The model's output as class logits ``(N, K)``.

    Raises:
        ScoreError: It is something else, so only a callable target can say what to explain.
    """
    if isinstance(output, Tensor) and output.ndim == 2:
        return output
    found = f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else f"type {type(output).__name__}"
    raise ScoreError(
        f"the model's output has {found}, not (N, K) class logits: "
        "pass target=score, a function from the output to one scalar per sample (N,)"
    )


def _selected(logits: Tensor, classes: Tensor) -> Tensor:
    """``Σ_k logits_k [k = class]``: a mask instead of a gather, whose gradient would be a scatter."""
    indices = torch.arange(logits.shape[1], device=logits.device)
    mask = (indices.unsqueeze(0) == classes.unsqueeze(1)).to(logits.dtype)
    return (logits * mask).sum(1)


def _fixed(output: Any, index: int) -> Tensor:
    logits = class_logits(output)
    if not 0 <= index < logits.shape[1]:
        raise ScoreError(f"target {index} is out of range: the model has classes 0 to {logits.shape[1] - 1}")
    return logits[:, index]


def floating_dtype(values: Iterable[Tensor]) -> torch.dtype:
    """The dtype of the first floating-point tensor.

    Raises:
        ScoreError: There is none.
    """
    for value in values:
        if value.is_floating_point():
            return value.dtype
    raise ScoreError("the model has neither a floating-point input nor an embedding of an integer one to explain")
