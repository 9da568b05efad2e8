"""The score that is explained: one scalar per sample, selected from the model's output."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from fgcompile.errors import ScoreError
from fgcompile.program import Target


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


LOGITS = ("logits", "out")
"""What libraries call the output that is meant when they return several."""


def explained(structure: Any, output: str | int | None = None) -> Any:
    """The model's output that is explained.

    Args:
        structure: A tensor, or a tuple, mapping or dataclass of outputs.
        output: A name or position in it; None for the only tensor, or the one that is called ``logits`` or ``out``.

    Raises:
        ScoreError: There is no such output, or there are several and none is named.
    """
    if isinstance(structure, Tensor) and output is None:
        return structure
    named = _named(structure)
    if output is not None:
        if output not in named:
            raise ScoreError(f"the model has no output {output!r}: name one of {', '.join(map(repr, named))}")
        return named[output]
    tensors = [value for value in named.values() if isinstance(value, Tensor)]
    usual = [named[name] for name in LOGITS if name in named]
    if usual or len(tensors) == 1:
        return (usual or tensors)[0]
    if not tensors:
        raise ScoreError("the model returns no tensor: there is nothing to explain")
    raise ScoreError(f"the model has several outputs: name the one explained, output= one of {list(named)}")


def main_output(structure: Any, output: str | int | None = None) -> Tensor:
    """The tensor that the artifact returns as ``logits`` beside a score of its own: as ``explained``, or the first.

    Raises:
        ScoreError: The model returns no tensor.
    """
    tensors = [leaf for leaf in pytree.tree_leaves(structure) if isinstance(leaf, Tensor)]
    named = _named(structure)
    if output is not None or any(name in named for name in LOGITS) or not tensors:
        return cast(Tensor, explained(structure, output))
    return tensors[0]


def _named(structure: Any) -> dict[str | int, Any]:
    if isinstance(structure, Mapping):
        return dict(structure)
    if isinstance(structure, tuple | list):
        fields = getattr(structure, "_fields", range(len(structure)))
        return dict(zip(fields, structure, strict=True))
    return {0: structure}


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
