"""Embeddings of integers, which have no gradient of their own."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.support.operator_cases.case import OperatorCase, Shape


def _embedding(
    name: str, function: Callable[..., Tensor], inputs: tuple[Shape, ...], integers: tuple[int, ...], *constants: Shape
) -> OperatorCase:
    return OperatorCase(name, function, inputs, constants, "embedding", integers=integers)


def _positions(ids: Tensor, tokens: Tensor, positions: Tensor) -> Tensor:
    """A language model's first layer."""
    return F.embedding(ids, tokens) + positions[: ids.shape[1]]


def _typed(ids: Tensor, kinds: Tensor, tokens: Tensor, types: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """BERT's first layer."""
    return F.layer_norm(F.embedding(ids, tokens) + F.embedding(kinds, types), (4,), weight, bias)


EMBEDDINGS = (
    _embedding("embedding", lambda i, w: F.embedding(i, w), ((5,),), (7,), (7, 4)),
    _embedding("embedding, padded", lambda i, w: F.embedding(i, w, padding_idx=0), ((5,),), (7,), (7, 4)),
    _embedding("embedding of one id", lambda i, w: torch.tanh(F.embedding(i, w)), ((),), (7,), (7, 4)),
    _embedding("embedding plus positions", _positions, ((5,),), (7,), (7, 4), (6, 4)),
    _embedding("two embeddings", _typed, ((5,), (5,)), (7, 2), (7, 4), (2, 4), (4,), (4,)),
    _embedding("embedding, averaged", lambda i, w: F.embedding(i, w).mean(1), ((5,),), (7,), (7, 4)),
    _embedding("indexing by an input", lambda i, w: w[i] * 2.0, ((5,),), (7,), (7, 4)),
    _embedding("embedding beside an image", lambda i, x, w: F.embedding(i, w) * x, ((5,), (5, 4)), (7, 0), (7, 4)),
)
