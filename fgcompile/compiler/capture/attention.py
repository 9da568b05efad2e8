"""Scaled dot-product attention written out, so that each of its parts is one row of the bias table.

    softmax(s Q Kᵀ + M) V,   s = 1/√d unless given

``torch.export`` leaves attention as one operator, or as the kernel that the exporting machine would have taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from fgcompile.compiler.ir.torch_internals import OpOverload, schema_of

aten = torch.ops.aten

LOWEST = torch.finfo(torch.float32).min / 2
"""Stands for −∞ in masks: ``exp`` of it is zero too, but its product with zero is zero and not NaN."""


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """``softmax(s Q Kᵀ + M) V``, as ``torch.nn.functional.scaled_dot_product_attention`` defines it.

    A row whose keys are all masked by a boolean mask attends to nothing: its output is zero.
    """
    if enable_gqa:
        key, value = _repeated(key, query.shape[-3]), _repeated(value, query.shape[-3])
    scores = (query * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)) @ key.transpose(-2, -1)
    if is_causal:
        causal = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        scores = torch.where(causal, scores, LOWEST)
    elif attn_mask is not None and attn_mask.dtype == torch.bool:
        weights = torch.where(attn_mask, scores, LOWEST).softmax(-1)
        return torch.where(attn_mask.any(-1, keepdim=True), weights, 0.0) @ value
    elif attn_mask is not None:
        scores = scores + attn_mask.clamp(min=LOWEST)
    return scores.softmax(-1) @ value


def _repeated(heads: Tensor, count: int) -> Tensor:
    """Grouped-query attention: each key head serves ``count / H`` neighbouring query heads."""
    return heads.repeat_interleave(count // heads.shape[-3], -3)


def _kernel(operator: OpOverload) -> Callable[..., Any]:
    """One machine's kernel: the same function; its other results are only for its own backward."""
    schema = schema_of(operator)

    def attend_as_kernel(*arguments: Any, **keywords: Any) -> tuple[Tensor, ...]:
        given = dict(zip((argument.name for argument in schema.arguments), arguments, strict=False)) | keywords
        output = attend(
            given["query"],
            given["key"],
            given["value"],
            given.get("attn_mask", given.get("attn_bias")),
            is_causal=given.get("is_causal", False),
            scale=given.get("scale"),
        )
        return (output, *[output.new_zeros(()) for _ in schema.returns[1:]])

    return attend_as_kernel


KERNELS: tuple[OpOverload, ...] = (
    aten._scaled_dot_product_attention_math.default,
    aten._scaled_dot_product_cudnn_attention.default,
    aten._scaled_dot_product_efficient_attention.default,
    aten._scaled_dot_product_flash_attention.default,
    aten._scaled_dot_product_flash_attention_for_cpu.default,
    aten._scaled_dot_product_fused_attention_overrideable.default,
)

DECOMPOSITIONS: dict[OpOverload, Callable[..., Any]] = {
    aten.scaled_dot_product_attention.default: attend,
    **{operator: _kernel(operator) for operator in KERNELS},
}
