"""``torch.autograd.Function``: its own backward is the layer's linear map."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from benchmarks.exactness.random_graphs.description import Choose
from benchmarks.exactness.random_graphs.kinds.drawn import Drawn, Piece
from benchmarks.exactness.random_graphs.kinds.functions import (
    Bounds,
    ClippedSign,
    Reverse,
    Round,
    Scaled,
    Spike,
    Swapped,
    Swish,
)
from benchmarks.exactness.random_graphs.kinds.trunk import around, draw_grid

# A function's ``apply`` has no types, so that
# mypy: disable-error-code="no-untyped-call"

FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "round": Round.apply,
    "reverse": lambda x: Reverse.apply(x, 0.7),
    "spike": lambda x: Spike.apply(x, 2.0),
    "clipped sign": ClippedSign.apply,
    "swish": Swish.apply,
    "swapped": lambda x: Swapped.apply(x, torch.tanh(x)),
    "bounds": lambda x: sum(Bounds.apply(x, -0.5, 0.5)),
}

USES: dict[str, Callable[[Tensor, Callable[[Tensor], Tensor]], Tensor]] = {
    "alone": lambda x, f: f(x),
    "scaled": lambda x, f: f(x * 1.5),
    "beside": lambda x, f: x * 0.5 + f(x),
    "twice": lambda x, f: f(torch.tanh(f(x)) + x),
    "gate": lambda x, f: x * torch.sigmoid(f(x)),
    "checkpoint": lambda x, f: checkpoint(f, x, use_reentrant=False),  # type: ignore[no-any-return]
    "reentrant checkpoint": lambda x, f: checkpoint(f, x, use_reentrant=True),  # type: ignore[no-any-return]
}


def _piece(choose: Choose) -> tuple[str, Piece]:
    name = choose([*FUNCTIONS, "scaled by a weight"])
    use = choose(list(USES))
    if name == "scaled by a weight":
        return f"{name} {use}", Piece(
            lambda x, w: USES[use](x, lambda y: Scaled.apply(y, w.abs() + 0.2)), weights=[(1,)], pointwise=True
        )
    return f"{name} {use}", Piece(lambda x: USES[use](x, FUNCTIONS[name]), pointwise=True)


def draw(choose: Choose) -> Drawn:
    """One to three functions of this kind."""
    grid = draw_grid(choose)
    return around(choose, grid, [_piece(choose) for _ in range(choose([1, 2, 3]))])
