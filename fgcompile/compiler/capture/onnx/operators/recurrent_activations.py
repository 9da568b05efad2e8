"""The activations that recurrent operators name, with the numbers that some of them take."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from fgcompile.errors import UnsupportedOpError

Function = Callable[[Tensor], Tensor]


def affine(x: Tensor, alpha: float = 1.0, beta: float = 0.0) -> Tensor:
    return alpha * x + beta


def leaky_relu(x: Tensor, alpha: float = 0.01) -> Tensor:
    return functional.leaky_relu(x, alpha)


def thresholded_relu(x: Tensor, alpha: float = 1.0) -> Tensor:
    return functional.threshold(x, alpha, 0.0)


def scaled_tanh(x: Tensor, alpha: float = 1.0, beta: float = 1.0) -> Tensor:
    return alpha * torch.tanh(beta * x)


def hard_sigmoid(x: Tensor, alpha: float = 0.2, beta: float = 0.5) -> Tensor:
    return (alpha * x + beta).clamp(0, 1)


def elu(x: Tensor, alpha: float = 1.0) -> Tensor:
    return functional.elu(x, alpha)


FUNCTIONS: dict[str, tuple[Callable[..., Tensor], int, int]] = {
    "affine": (affine, 1, 1),
    "elu": (elu, 1, 0),
    "hardsigmoid": (hard_sigmoid, 1, 1),
    "leakyrelu": (leaky_relu, 1, 0),
    "relu": (torch.relu, 0, 0),
    "scaledtanh": (scaled_tanh, 1, 1),
    "sigmoid": (torch.sigmoid, 0, 0),
    "softplus": (functional.softplus, 0, 0),
    "softsign": (functional.softsign, 0, 0),
    "tanh": (torch.tanh, 0, 0),
    "thresholdedrelu": (thresholded_relu, 1, 0),
}
"""By name in small letters: what it computes, and of how many alphas and betas."""


def activations_of(
    names: Sequence[str] | None,
    default: Sequence[str],
    sides: int,
    alphas: Sequence[float] | None,
    betas: Sequence[float] | None,
) -> list[list[Function]]:
    """The functions of each direction. Alphas and betas are those of the ones that take any, in order.

    Raises:
        UnsupportedOpError: There is no such function.
    """
    wanted = list(names or [*default] * sides)
    left = iter(alphas or ()), iter(betas or ())
    functions = [_function(name, *left) for name in wanted]
    count = len(default)
    return [functions[count * side : count * (side + 1)] for side in range(sides)]


def _function(name: str, alphas: Iterator[float], betas: Iterator[float]) -> Function:
    if name.lower() not in FUNCTIONS:
        raise UnsupportedOpError(f"there is no activation '{name}'")
    compute, takes_alpha, takes_beta = FUNCTIONS[name.lower()]
    given = {}
    for parameter, takes, numbers in (("alpha", takes_alpha, alphas), ("beta", takes_beta, betas)):
        if takes and (number := next(numbers, None)) is not None:
            given[parameter] = number
    return partial(compute, **given) if given else compute
