"""Scores of what a language model, tagger or reader says of each position, logits ``(N, L, K)``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from fgcompile.errors import InputError, ScoreError
from fgcompile.scores.requirements import (
    class_index,
    require_class,
    require_index,
    require_own,
    require_rank,
    require_sizes,
    require_whole,
)

FORM = "(N, L, K)"


@dataclass(frozen=True)
class Token:
    """``f = log softmax(y_l)_t`` of logits ``(N, L, K)``: the log-probability of a token, or class, at a position.

    What is None is an input of the artifact, which takes the same numbers; further ones below 0 count
    from the end, as in Python.

    Attributes:
        position: The position, −1 for the last; None for an input ``position`` at run time, int64 ``(N,)``.
        token: The token, or class, which may be a name of the labels; −1 for the likeliest there; None for an input
            ``token`` at run time, int64 ``(N,)``.
    """

    CLASSES: ClassVar = ("token",)
    position: int | None = -1
    token: int | str | None = -1

    def __post_init__(self) -> None:
        require_whole(self, "position", optional=True)
        require_class(self, "token", optional=True)
        if isinstance(self.token, int) and self.token < -1:
            raise InputError(f"Token has token={self.token}: give one of 0 and up, or -1 for the likeliest")

    def own_inputs(self, logits: Tensor) -> dict[str, Tensor]:
        """Examples of the inputs of its own."""
        require_rank(logits, 3, FORM, "Token")
        names = [name for name in ("position", "token") if getattr(self, name) is None]
        return {name: torch.zeros(len(logits), dtype=torch.int64) for name in names}

    def count_classes(self, logits: Tensor) -> int | None:
        """How many classes the output has, for labels to be as many."""
        return logits.shape[2] if logits.ndim == 3 else None

    def __call__(self, logits: Tensor, position: Tensor | None = None, token: Tensor | None = None) -> Tensor:
        require_rank(logits, 3, FORM, "Token")
        for name, given in (("position", position), ("token", token)):
            require_own("Token", name, given, getattr(self, name) is None)
            if given is not None:
                require_sizes("Token", name, given, logits.shape[:1], "one for each sample, int64 (N,)")
        rows = torch.arange(logits.shape[0], device=logits.device)
        if self.position is not None:
            require_index(self.position, logits.shape[1], "position")
        there = logits[:, self.position] if self.position is not None else logits[rows, position]
        probabilities = there.log_softmax(1)
        if token is not None:
            return torch.where(token == -1, probabilities.amax(1), probabilities[rows, token])
        if self.token is None or self.token == -1:
            return probabilities.amax(1)
        return probabilities[:, class_index("Token", "token", self.token, logits.shape[2], "token")]


@dataclass(frozen=True)
class Continuation:
    """``f = Σ_i log softmax(y_{L−C−1+i})_{t_i}`` of logits ``(N, L, K)``: a text's last ``C`` tokens, given the others.

    The ids that the model is given end in these tokens; they are the input ``tokens`` too, int64 ``(N, C)``.

    Attributes:
        length: C.
    """

    length: int

    def __post_init__(self) -> None:
        require_whole(self, "length")

    def own_inputs(self, logits: Tensor) -> dict[str, Tensor]:
        """Examples of the inputs of its own."""
        require_rank(logits, 3, FORM, "Continuation")
        return {"tokens": torch.zeros(len(logits), self.length, dtype=torch.int64)}

    def __call__(self, logits: Tensor, tokens: Tensor) -> Tensor:
        require_rank(logits, 3, FORM, "Continuation")
        if not 0 < self.length < logits.shape[1]:
            raise ScoreError(f"Continuation({self.length}): give 1 to {logits.shape[1] - 1} tokens of a text this long")
        sizes = (logits.shape[0], self.length)
        require_sizes("Continuation", "tokens", tokens, sizes, "the last of each text, int64 (N, C)")
        # The row in front of a token is the one that predicts it.
        probabilities = logits[:, -self.length - 1 : -1].log_softmax(2)
        return probabilities.gather(2, tokens.unsqueeze(2)).squeeze(2).sum(1)
