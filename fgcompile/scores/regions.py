"""The score of a segmentation's part: a box that is fixed when compiling, or a mask given at run time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from fgcompile.errors import InputError, ScoreError
from fgcompile.scores.requirements import class_index, require_class, require_own, require_rank, require_sizes


@dataclass(frozen=True)
class Region:
    """The mean of one class's logits over a part of a segmentation ``(N, K, H, W)``.

    Attributes:
        index: The class, by its number, or by its name among the labels.
        rows: The first row of a box and the one behind its last; None for all.
        columns: Likewise.
        mask: Whether the part is given at run time instead, as the input ``mask``, float ``(N, H, W)``, in which each
            pixel has its weight: ``f = Σ m y / Σ m``. Weights below 0 count as 0. Where the mask is empty ``f`` is 0,
            and so is the map.
    """

    CLASSES: ClassVar = ("index",)
    index: int | str
    rows: tuple[int, int] | None = None
    columns: tuple[int, int] | None = None
    mask: bool = False

    def __post_init__(self) -> None:
        require_class(self, "index")
        for name, part in (("rows", self.rows), ("columns", self.columns)):
            if part is not None and not _is_part(part):
                raise InputError(f"Region has {name}={part!r}: give the first and the one behind the last, (0, 10)")
        if not isinstance(self.mask, bool):
            raise InputError(f"Region has mask={self.mask!r}: say whether it is given at run time, True or False")
        if self.mask and (self.rows or self.columns):
            raise InputError("Region takes rows and columns, or a mask at run time: leave one of them out")

    def own_inputs(self, logits: Tensor) -> dict[str, Tensor]:
        """Examples of the inputs of its own."""
        require_rank(logits, 4, "(N, K, H, W)", "Region")
        return {"mask": torch.ones_like(logits[:, 0]).float()} if self.mask else {}

    def count_classes(self, logits: Tensor) -> int | None:
        """How many classes the output has, for labels to be as many."""
        return logits.shape[1] if logits.ndim == 4 else None

    def __call__(self, logits: Tensor, mask: Tensor | None = None) -> Tensor:
        require_rank(logits, 4, "(N, K, H, W)", "Region")
        require_own("Region", "mask", mask, self.mask)
        of_class = logits[:, class_index("Region", "index", self.index, logits.shape[1])]
        if mask is not None:
            require_sizes("Region", "mask", mask, of_class.shape, "a weight for each pixel, (N, H, W)")
            return _weighted_mean(of_class, mask)
        for part, size, name in zip((self.rows, self.columns), logits.shape[2:], ("rows", "columns"), strict=True):
            if part is not None and part[1] > size:
                raise ScoreError(f"{name} {part} are no part of {size}: give the first and the one behind the last")
        rows, columns = (slice(None) if part is None else slice(*part) for part in (self.rows, self.columns))
        return of_class[:, rows, columns].mean((1, 2))


def _is_part(part: Any) -> bool:
    whole = isinstance(part, tuple) and len(part) == 2 and all(type(end) is int for end in part)
    return whole and 0 <= part[0] < part[1]


def _weighted_mean(values: Tensor, mask: Tensor) -> Tensor:
    """``Σ m y / Σ m`` over space ``(N, H, W)``, of the weights that are positive; 0 where there are none."""
    weights = mask.to(values.dtype).clamp(min=0)
    total = weights.sum((1, 2))
    # An empty mask's sum is 0 divided by 1: a quotient by a small number instead would not be one of float16.
    return (values * weights).sum((1, 2)) / torch.where(total > 0, total, 1)
