"""Support vector machines of the domain ``ai.onnx.ml``: sums of kernels, which have derivatives; votes have none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate, combinations

import torch
from torch import Tensor

from fgcompile.compiler.capture.onnx.operators.linear_models import linear, transformed
from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.errors import UnsupportedOpError

_KERNELS: dict[str, Callable[[Tensor, Tensor, Sequence[float]], Tensor]] = {
    "LINEAR": lambda x, v, _: x @ v.T,
    "POLY": lambda x, v, of: (of[0] * (x @ v.T) + of[1]) ** of[2],
    "SIGMOID": lambda x, v, of: torch.tanh(of[0] * (x @ v.T) + of[1]),
    "RBF": lambda x, v, of: torch.exp(-of[0] * ((x[:, None] - v) ** 2).sum(-1)),
}
"""``(N, vectors)`` of features ``(N, F)`` and support vectors, by γ, an offset and a degree."""


def support_vector_regressor(
    x: Tensor,
    *,
    coefficients: Sequence[float],
    rho: Sequence[float],
    kernel_type: str = "LINEAR",
    kernel_params: Sequence[float] | None = None,
    n_supports: int = 0,
    support_vectors: Sequence[float] | None = None,
    one_class: int = 0,
    post_transform: str = "NONE",
) -> Tensor:
    """``Σ c_i k(x, v_i) + ρ`` as float32, ``(N, 1)``; ONNX Runtime takes no softmax or sigmoid of it.

    Raises:
        UnsupportedOpError: It is the sign of that, or a probit.
    """
    if one_class or post_transform == "PROBIT":
        raise UnsupportedOpError("it makes a sign or a probit of its sum, of which fgcompile reads neither")
    if not n_supports:
        return linear(x, coefficients, None, 1) + rho[0]
    kernels = _kernels(x, support_vectors or (), n_supports, kernel_type, kernel_params)
    return kernels @ torch.tensor(coefficients).reshape(-1, 1) + rho[0]


def support_vector_classifier(
    x: Tensor,
    *,
    coefficients: Sequence[float],
    rho: Sequence[float],
    kernel_type: str = "LINEAR",
    kernel_params: Sequence[float] | None = None,
    vectors_per_class: Sequence[int] | None = None,
    support_vectors: Sequence[float] | None = None,
    prob_a: Sequence[float] | None = None,
    prob_b: Sequence[float] | None = None,
    classlabels_ints: Sequence[int] | None = None,
    classlabels_strings: Sequence[str] | None = None,
    post_transform: str = "NONE",
) -> tuple[Tensor | None, Tensor]:
    """The class, by votes, None where its name is a text; and a score of each pair of classes.

    ``d_ij = Σ c_j k(x, v_i) + Σ c_i k(x, v_j) + ρ_ij`` over the vectors of i and of j.

    Raises:
        UnsupportedOpError: It makes probabilities of the scores of pairs, which are found step by step, or is of two
            classes, whose scores ONNX Runtime has in the other order.
    """
    counts = vectors_per_class or ()
    if len(counts) == 2:
        raise UnsupportedOpError(
            "the first of its two scores is high where its class is the second, so that the predicted class would be "
            "the other one: convert a linear model (LinearSVC), or the regression of one score (SVR)"
        )
    if prob_a or not counts:
        raise UnsupportedOpError(
            "it makes probabilities of the scores of pairs of classes, step by step, or has no support vectors: "
            "convert it without (SVC(probability=False))"
        )
    kernels = _kernels(x, support_vectors or (), sum(counts), kernel_type, kernel_params)
    pairs = _of_pairs(kernels, torch.tensor(coefficients).reshape(len(counts) - 1, -1), counts)
    scores = torch.stack(pairs, 1) + torch.tensor(rho)
    number = _voted(scores, len(counts))
    named = torch.tensor(classlabels_ints)[number] if classlabels_ints else None
    return named, transformed(scores, post_transform)


def _kernels(x: Tensor, vectors: Sequence[float], count: int, kind: str, parameters: Sequence[float] | None) -> Tensor:
    table = x.to(torch.float32)
    table = table if table.ndim > 1 else table[None]
    return _KERNELS[kind](table, torch.tensor(vectors).reshape(count, -1), parameters or (0.0, 0.0, 0.0))


def _of_pairs(kernels: Tensor, coefficients: Tensor, counts: Sequence[int]) -> list[Tensor]:
    ends = list(accumulate(counts))
    spans = [slice(end - count, end) for end, count in zip(ends, counts, strict=True)]
    return [
        kernels[:, spans[i]] @ coefficients[j - 1, spans[i]] + kernels[:, spans[j]] @ coefficients[i, spans[j]]
        for i, j in combinations(range(len(counts)), 2)
    ]


def _voted(scores: Tensor, classes: int) -> Tensor:
    """The class that most pairs are for, the first of several."""
    votes = [torch.zeros_like(scores[:, 0]) for _ in range(classes)]
    for place, (i, j) in enumerate(combinations(range(classes), 2)):
        first = (scores[:, place] > 0).to(scores.dtype)
        votes[i], votes[j] = votes[i] + first, votes[j] + 1 - first
    return torch.stack(votes, 1).argmax(1)


SUPPORT_VECTORS: dict[str, Operator] = {
    "SVMClassifier": Operator(support_vector_classifier, note="of three classes or more, without probabilities"),
    "SVMRegressor": Operator(support_vector_regressor),
}
"""Rows of the domain ``ai.onnx.ml``."""
