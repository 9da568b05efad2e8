"""Scores of regressions and embeddings: one value of an output, and how near an output is to a vector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from fgcompile.errors import InputError, ScoreError
from fgcompile.scores.classes import number_of_classes
from fgcompile.scores.requirements import (
    class_index,
    require_class,
    require_index,
    require_rank,
    require_sizes,
    whole_number,
)


@dataclass(frozen=True)
class Value:
    """``f = y_i`` of a regression, or of any output: ``(N,)``, or an index for each axis of ``(N, d_1, …, d_r)``.

    Attributes:
        index: One index, of all values of a sample in order, or one for each axis; of ``(N, K)`` with labels also a
            name.
    """

    CLASSES: ClassVar = ("index",)
    index: int | str | tuple[int, ...] = 0

    def __post_init__(self) -> None:
        if not isinstance(self.index, tuple):
            require_class(self, "index")
            return
        numbers = tuple(map(whole_number, self.index))
        if None in numbers:
            raise InputError(f"Value has index={self.index!r}: give a whole number for each axis")
        object.__setattr__(self, "index", numbers)

    def with_classes(self, index: int) -> Value:
        """The same with the number that its name stands for: of ``(N, K)`` alone, the only output that has names."""
        return Value((index,))

    def count_classes(self, values: Tensor) -> int | None:
        """How many classes the output has, for labels to be as many."""
        return number_of_classes(values)

    def __call__(self, values: Tensor) -> Tensor:
        if not isinstance(values, Tensor) or values.ndim == 0:
            raise ScoreError("Value is a score of an output (N, …), and the model's is none: name another, output=")
        if not isinstance(self.index, tuple):
            # Of (N,) a sample has one value, which is its first.
            flat = values.flatten(1) if values.ndim > 1 else values.unsqueeze(1)
            return flat[:, class_index("Value", "index", self.index, flat.shape[1], "value")]
        if self.index == (0,) and values.ndim == 1:
            return values  # which has one
        require_rank(values, 1 + len(self.index), f"of {1 + len(self.index)} axes", "Value")
        for index, size in zip(self.index, values.shape[1:], strict=True):
            require_index(index, size, "value")
            values = values[:, index]
        return values


@dataclass(frozen=True)
class Similarity:
    """The cosine of an embedding ``(N, D)`` and a vector given at run time: ``f = <y, q> / (‖y‖ ‖q‖)``.

    The vector is the score's own input ``query`` ``(N, D)``; to one of zeros the similarity is 0, and so is the map.
    """

    def own_inputs(self, embedding: Tensor) -> dict[str, Tensor]:
        """Examples of the inputs of its own."""
        require_rank(embedding, 2, "(N, D)", "Similarity")
        return {"query": torch.ones_like(embedding).float()}

    def __call__(self, embedding: Tensor, query: Tensor) -> Tensor:
        require_rank(embedding, 2, "(N, D)", "Similarity")
        require_sizes("Similarity", "query", query, embedding.shape, "a vector for each sample, (N, D)")
        return torch.cosine_similarity(embedding, query, dim=1)
