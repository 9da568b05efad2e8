"""Linear classifiers and regressors of the domain ``ai.onnx.ml``, which hold their weights as attributes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.errors import UnsupportedOpError


def linear_classifier(
    x: Tensor,
    *,
    coefficients: Sequence[float],
    intercepts: Sequence[float],
    classlabels_ints: Sequence[int] | None = None,
    classlabels_strings: Sequence[str] | None = None,
    multi_class: int = 0,
    post_transform: str = "NONE",
) -> tuple[Tensor | None, Tensor]:
    """The class, None where its name is a text; and the scores ``x Wᵀ + b``, as ``post_transform`` has them.

    One score s for two classes is (1 − s, s), or with ``LOGISTIC`` (σ(−s), σ(s)), as ONNX Runtime has it.
    """
    scores = linear(x, coefficients, intercepts, len(intercepts))
    names = classlabels_ints or classlabels_strings or ()
    if len(intercepts) == 1 and len(names) == 2:
        number = (scores[:, 0] > 0).to(torch.int64)
        scores = torch.cat([-scores if post_transform == "LOGISTIC" else 1 - scores, scores], 1)
        made = torch.sigmoid(scores) if post_transform == "LOGISTIC" else scores
        if post_transform == "PROBIT":
            raise UnsupportedOpError(_NO_PROBIT)
    else:
        number, made = scores.argmax(1), transformed(scores, post_transform)
    return torch.tensor(classlabels_ints)[number] if classlabels_ints else None, made


def linear_regressor(
    x: Tensor,
    *,
    coefficients: Sequence[float],
    intercepts: Sequence[float] | None = None,
    targets: int = 1,
    post_transform: str = "NONE",
) -> Tensor:
    """``x Wᵀ + b``; ONNX Runtime takes no softmax or sigmoid of a single one."""
    y = linear(x, coefficients, intercepts, targets)
    return y if targets == 1 and post_transform != "PROBIT" else transformed(y, post_transform)


def linear(x: Tensor, coefficients: Sequence[float], intercepts: Sequence[float] | None, rows: int) -> Tensor:
    """``x Wᵀ + b`` of a table, as float32, weights given row after row."""
    table = x.to(torch.float32)
    table = table if table.ndim > 1 else table[None]
    weights = torch.tensor(coefficients, dtype=torch.float32).reshape(rows, -1)
    return functional.linear(table, weights, None if not intercepts else torch.tensor(intercepts, dtype=torch.float32))


def transformed(scores: Tensor, kind: str) -> Tensor:
    """Scores of several classes as probabilities, ``(N, C)``.

    ``SOFTMAX_ZERO`` leaves scores of zero out, which stay zero.
    """
    if kind == "SOFTMAX":
        return torch.softmax(scores, 1)
    if kind == "SOFTMAX_ZERO":
        left_out = scores == 0
        return torch.softmax(scores.masked_fill(left_out, -torch.inf), 1)
    if kind == "LOGISTIC":
        return torch.sigmoid(scores)
    if kind == "NONE":
        return scores
    raise UnsupportedOpError(_NO_PROBIT)


_NO_PROBIT = "it makes probabilities of its scores by PROBIT, which fgcompile does not read"

LINEAR_MODELS: dict[str, Operator] = {
    "LinearClassifier": Operator(linear_classifier, note="its logits are explained, where it makes probabilities"),
    "LinearRegressor": Operator(linear_regressor),
}
"""Rows of the domain ``ai.onnx.ml``."""
