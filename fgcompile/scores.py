"""Common scores: callables for ``target=`` that map a model's output to the scalar ``(N,)`` that is explained.

Any function may be one; these are the usual ones, and examples of how to write others.
"""

from __future__ import annotations

from dataclasses import dataclass

from fgcompile.errors import MissingPackageError

try:
    import torch
except ImportError as error:
    raise MissingPackageError("scores need torch: pip install 'fgcompile[compile]'") from error
from torch import Tensor


@dataclass(frozen=True)
class Difference:
    """``f = y_a − y_b`` of logits ``(N, K)``: why one class rather than another.

    Attributes:
        a: The class that is explained.
        b: The class that it is set against.
    """

    a: int
    b: int

    def __call__(self, logits: Tensor) -> Tensor:
        return logits[:, self.a] - logits[:, self.b]


@dataclass(frozen=True)
class Value:
    """``f = y_k`` of a regression ``(N, K)`` or ``(N,)``.

    Attributes:
        index: Which of the values.
    """

    index: int = 0

    def __call__(self, values: Tensor) -> Tensor:
        return values.flatten(1)[:, self.index] if values.ndim > 1 else values


@dataclass(frozen=True)
class Region:
    """The mean of one class's logits over a box of a segmentation ``(N, K, H, W)``.

    Attributes:
        index: The class.
        rows: The first row of the box and the one behind its last; None for all.
        columns: Likewise.
    """

    index: int
    rows: tuple[int, int] | None = None
    columns: tuple[int, int] | None = None

    def __call__(self, logits: Tensor) -> Tensor:
        rows, columns = (slice(None) if ends is None else slice(*ends) for ends in (self.rows, self.columns))
        return logits[:, self.index, rows, columns].mean((1, 2))


@dataclass(frozen=True)
class Similarity:
    """The cosine of an embedding ``(N, D)`` and a given vector: ``f = <y, q> / (‖y‖ ‖q‖)``.

    The vector is the score's own input ``query`` ``(N, D)``: compile with
    ``score_inputs={"query": torch.zeros(1, D)}``.
    """

    def __call__(self, embedding: Tensor, query: Tensor) -> Tensor:
        return torch.cosine_similarity(embedding, query, dim=1)
