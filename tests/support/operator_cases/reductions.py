"""Sums, extremes, order statistics, norms and distances along axes."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.support.operator_cases.case import OperatorCase, Shape


def _reduction(
    name: str,
    function: Callable[..., Tensor],
    *inputs: Shape,
    constants: tuple[Shape, ...] = (),
    positive: bool = False,
) -> OperatorCase:
    return OperatorCase(name, function, inputs or ((3, 4, 5),), constants, "reduction", positive)


REDUCTIONS = (
    _reduction("sum of all but the batch", lambda x: x.sum((1, 2, 3), keepdim=True)),
    _reduction("mean over channels", lambda x: x.mean(1)),
    _reduction("max of all but the batch", lambda x: x.flatten(1).max(1).values),
    _reduction("amax of all but the batch", lambda x: x.amax((1, 2, 3), keepdim=True)),
    _reduction("amin over two axes", lambda x: x.amin((1, 3))),
    _reduction("aminmax", lambda x: torch.aminmax(x, dim=2).max - torch.aminmax(x, dim=2).min),
    _reduction("maximum with a constant", torch.maximum, (3, 4), constants=((4,),)),
    _reduction("minimum with a constant", torch.minimum, (3, 4), constants=((4,),)),
    _reduction("maximum with a number", lambda x: torch.maximum(x, torch.tensor(0.5, dtype=x.dtype))),
    _reduction("fmax", torch.fmax, (3, 4), (3, 4)),
    _reduction("max of a stack", lambda x, y: torch.stack([x, y], 1).max(1).values, (3, 4), (3, 4)),
    _reduction("clamp by tensors", lambda x, a, b: x.clamp(a, a + b.abs()), (3, 4), constants=((4,), (4,))),
    _reduction("clamp from above by a tensor", lambda x, a: x.clamp(max=a), (3, 4), constants=((4,),)),
    _reduction("clamp by activations", lambda x, y: x.clamp(y - 1, y + 1), (3, 4), (3, 4)),
    _reduction("median of all", lambda x: x.flatten(1).median(1).values, (3, 4)),
    _reduction("kthvalue, largest", lambda x: x.kthvalue(5, -1).values),
    _reduction("sort, descending", lambda x: x.sort(-1, descending=True).values[..., :2]),
    _reduction("topk, smallest", lambda x: x.topk(3, -1, largest=False).values),
    _reduction("topk of tokens", lambda x: x.topk(1, 1).values.squeeze(1), (5, 4)),
    _reduction("cummin", lambda x: x.cummin(2).values),
    _reduction("cummax, negative axis", lambda x: x.cummax(-1).values),
    _reduction("cumprod", lambda x: x.cumprod(2), (3, 4)),
    _reduction("logcumsumexp", lambda x: x.logcumsumexp(1), (4, 3)),
    _reduction("prod, kept", lambda x: x.prod(1, keepdim=True)),
    _reduction("prod of an axis of one", lambda x: x.prod(1), (1, 4)),
    _reduction("logsumexp over space", lambda x: torch.logsumexp(x, (2, 3))),
    _reduction("var", lambda x: x.var((2, 3))),
    _reduction("var, biased, kept", lambda x: x.var(1, unbiased=False, keepdim=True)),
    _reduction("var_mean", lambda x: torch.add(*torch.var_mean(x, dim=(2, 3)))),
    _reduction("std_mean", lambda x: torch.add(*torch.std_mean(x, dim=1, correction=0))),
    _reduction("norm 1", lambda x: x.norm(p=1, dim=2)),
    _reduction("norm 3", lambda x: x.norm(p=3, dim=2), positive=True),
    _reduction("norm ∞", lambda x: torch.linalg.vector_norm(x, float("inf"), 2)),
    _reduction("norm of all but the batch", lambda x: x.flatten(1).norm(dim=1)),
    _reduction("Frobenius norm", lambda x: torch.linalg.matrix_norm(x)),
    _reduction("cosine_similarity", lambda x, y: F.cosine_similarity(x, y, 1), (3, 4), (3, 4)),
    _reduction("pairwise_distance", lambda x, y: F.pairwise_distance(x, y), (4,), (4,)),
    _reduction(
        "cosine_similarity to constants",
        lambda x, w: F.cosine_similarity(x.unsqueeze(1), w.unsqueeze(0), -1),
        (4,),
        constants=((5, 4),),
    ),
    _reduction("pairwise_distance to a constant", F.pairwise_distance, (3, 4), constants=((3, 4),)),
    _reduction("cdist", lambda x, y: torch.cdist(x, y), (3, 4), (5, 4)),
    _reduction("cdist 1", lambda x, y: torch.cdist(x, y, p=1.0), (3, 4), (5, 4)),
    _reduction(
        "cdist to prototypes",
        lambda x, w: torch.cdist(x, w.unsqueeze(0)),
        (3, 4),
        constants=((5, 4),),
    ),
    _reduction("trace", lambda x: x.diagonal(0, 1, 2).sum(-1), (3, 3)),
    _reduction("mse", lambda x, y: F.mse_loss(x, y, reduction="none").mean(1), (3,), (3,)),
    _reduction("softmax pooling", lambda x: (x.flatten(2).softmax(-1) * x.flatten(2)).sum(-1)),
    _reduction("generalised mean pooling", lambda x: x.clamp(min=1e-6).pow(3).mean((2, 3)).pow(1 / 3), positive=True),
    _reduction("soft-argmax", lambda x: (x.softmax(1) * torch.arange(5.0, dtype=x.dtype)).sum(1), (5,)),
    _reduction("count_nonzero", lambda x: x * (x > 0).sum(1, keepdim=True)),
    _reduction("argmax as an index", lambda x: x * (x.argmax(1, keepdim=True) == torch.arange(4)), (4,)),
)
