"""The score that is explained: one scalar per sample, selected from the model's output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from fgcompile.errors import ScoreError
from fgcompile.program import Target


def score_function(target: Target, chosen: Tensor | None = None) -> Callable[[Any], Tensor]:
    """The function from the model's output to the score ``(N,)``.

    Args:
        target: What was asked for when compiling.
        chosen: The class of each sample, int64 ``(N,)``, −1 for the predicted one; with ``target=None`` only.

    Raises:
        ScoreError: When called: the output is not ``(N, K)`` logits, or the class is not one of them.
    """
    if callable(target):
        return target
    if target == "predicted":
        return lambda output: _selected(output, class_logits(output).detach().argmax(1))
    if isinstance(target, int):
        return lambda output: _fixed(output, target)
    assert chosen is not None
    return lambda output: _selected(output, resolve(chosen, class_logits(output)))


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


def first_tensor(output: Any) -> Tensor:
    """The tensor that the artifact returns as ``logits``: the output itself, or the first one of a structure."""
    for leaf in pytree.tree_leaves(output):
        if isinstance(leaf, Tensor):
            return leaf
    raise ScoreError("the model returns no tensor: there is nothing to explain")


def _selected(output: Any, classes: Tensor) -> Tensor:
    """``Σ_k logits_k [k = class]``: a mask instead of a gather, whose gradient would be a scatter."""
    logits = class_logits(output)
    indices = torch.arange(logits.shape[1], device=logits.device)
    mask = (indices.unsqueeze(0) == classes.unsqueeze(1)).to(logits.dtype)
    return (logits * mask).sum(1)


def _fixed(output: Any, index: int) -> Tensor:
    logits = class_logits(output)
    if not 0 <= index < logits.shape[1]:
        raise ScoreError(f"target {index} is out of range: the model has classes 0 to {logits.shape[1] - 1}")
    return logits[:, index]
