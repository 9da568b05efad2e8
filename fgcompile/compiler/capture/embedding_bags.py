"""Bags of embeddings of one length, by their definition.

embedding_bag(ids (N, L), W)  →  Σ_l w_l W[ids]       or the mean or the largest over l, without those of the padding
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

_SIGNATURE = inspect.signature(F.embedding_bag)


def embedding_bag(*arguments: Any, **options: Any) -> Tensor:
    """``F.embedding_bag``, written out where every sample is a bag, and no norm rewrites the weights."""
    bound = _SIGNATURE.bind(*arguments, **options)
    bound.apply_defaults()
    given = bound.arguments
    ids, weight, factors = given["input"], given["weight"], given["per_sample_weights"]
    if ids.dim() != 2 or given["max_norm"] is not None or ids.is_floating_point():
        return F.embedding_bag(*arguments, **options)
    rows = F.embedding(ids, weight)
    counted = torch.ones_like(ids, dtype=torch.bool).unsqueeze(-1)
    if given["padding_idx"] is not None:
        counted = (ids != given["padding_idx"] % weight.shape[0]).unsqueeze(-1)
    if given["mode"] == "max":
        largest = rows.masked_fill(~counted, float("-inf")).amax(1)
        return torch.where(counted.any(1), largest, 0.0)
    rows = (rows if factors is None else rows * factors.unsqueeze(-1)) * counted
    return rows.sum(1) / counted.sum(1).clamp(min=1) if given["mode"] == "mean" else rows.sum(1)
