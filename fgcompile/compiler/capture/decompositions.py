"""Operators that capture takes apart in its own way: PyTorch's keeps them, or what it makes of them has no gradient.

Each becomes operators that the bias table and the lowerings know. The axes that they work along are static.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch
from torch import SymInt, Tensor

from fgcompile.compiler.biases import bias_table
from fgcompile.compiler.capture import attention, dynamic_parts, sample_convolutions, scatters, writes
from fgcompile.compiler.capture.exported_levels import written_out
from fgcompile.compiler.ir.torch_internals import OpOverload, is_contiguous_or_false

aten = torch.ops.aten  # its operators are untyped, hence:
# mypy: no-warn-return-any


def decompose_distances(x1: Tensor, x2: Tensor, p: float, compute_mode: int | None) -> Tensor:
    """``out[…, i, j] = ‖x1[…, i, :] − x2[…, j, :]‖_p``: PyTorch's own has no second derivative."""
    return torch.linalg.vector_norm(x1.unsqueeze(-2) - x2.unsqueeze(-3), p, -1)


def decompose_product(self: Tensor, dim: int, keepdim: bool = False, *, dtype: torch.dtype | None = None) -> Any:
    """``Π x`` along an axis, by halves: the gradient of PyTorch's own depends on which factors are zero."""
    if isinstance(self.shape[dim], SymInt):
        return NotImplemented
    x = self if dtype is None else self.to(dtype)
    while (size := x.shape[dim]) > 1:
        half = size // 2
        halves = x.narrow(dim, 0, half) * x.narrow(dim, half, half)
        x = halves if size % 2 == 0 else torch.cat([halves, x.narrow(dim, 2 * half, 1)], dim)
    return x if keepdim else x.squeeze(dim)


def _decompose_scan(combine: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Any]:
    def decompose(self: Tensor, dim: int, *, dtype: torch.dtype | None = None) -> Any:
        """A scan that doubles its reach in ``⌈log₂ n⌉`` steps; the gradient of PyTorch's own depends on values."""
        size = self.shape[dim]
        if isinstance(size, SymInt):
            return NotImplemented
        x = self if dtype is None else self.to(dtype)
        reach = 1
        while reach < size:
            combined = combine(x.narrow(dim, reach, size - reach), x.narrow(dim, 0, size - reach))
            x = torch.cat([x.narrow(dim, 0, reach), combined], dim)
            reach *= 2
        return x

    return decompose


def _log_add_exp(a: Tensor, b: Tensor) -> Tensor:
    """``log(eᵃ + eᵇ)``."""
    return torch.logsumexp(torch.stack([a, b]), 0)


def decompose_hypotenuse(self: Tensor, other: Tensor) -> Tensor:
    """``√(x² + y²)``: no exporter knows PyTorch's own."""
    return (self * self + other * other).sqrt()


def decompose_cosine(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """``Σ x₁ x₂ / (n₁ n₂)``, ``n = max(‖x‖, ε)`` with the gradient of ``‖x‖`` on either side, as autograd has it."""

    def bounded(x: Tensor) -> Tensor:
        norm = torch.linalg.vector_norm(x, 2, dim, True)
        return torch.where(norm > eps, norm, norm - norm.detach() + eps)

    x1, x2 = torch.broadcast_tensors(x1, x2)  # type: ignore[no-untyped-call]
    return (x1 / bounded(x1) * (x2 / bounded(x2))).sum(dim)


def decompose_identity(n: Any, m: Any = None, *, dtype: torch.dtype | None = None, **options: Any) -> Tensor:
    """Ones on the diagonal: PyTorch's own counts rows and columns in uint16 from 256 on, which its CPU kernels lack."""
    device = options.get("device")
    rows, columns = (torch.arange(size, device=device) for size in (n, n if m is None else m))
    return (rows[:, None] == columns).to(torch.get_default_dtype() if dtype is None else dtype)


def decompose_trilinear(
    i1: Tensor,
    i2: Tensor,
    i3: Tensor,
    expand1: Sequence[int],
    expand2: Sequence[int],
    expand3: Sequence[int],
    sumdim: Sequence[int],
    unroll_dim: int = 1,
) -> Tensor:
    """A product of three with axes inserted, and a sum over axes: the bilinear layer."""
    product: Any = 1
    for factor, inserted in ((i1, expand1), (i2, expand2), (i3, expand3)):
        for axis in inserted:
            factor = factor.unsqueeze(axis)
        product = factor * product
    return product.sum(list(sumdim))


def decompose_as_strided(
    self: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None
) -> Any:
    """Elements of each sample at constant positions; the gradient of PyTorch's own is arithmetic on storage."""
    sizes, numel = [str(extent) for extent in self.shape], self[0].numel()
    if [str(extent) for extent in size] == sizes:  # other strides, which values do not have
        return self
    fixed = not any(isinstance(extent, SymInt) for extent in [*size[1:], *stride])
    if not fixed or str(size[0]) != sizes[0] or stride[0] != numel or not is_contiguous_or_false(self):
        return NotImplemented
    positions = torch.full([1] * (len(size) - 1), storage_offset or 0, device=self.device)
    for axis, (extent, step) in enumerate(zip(size[1:], stride[1:], strict=True)):
        behind = [1] * (len(size) - 2 - axis)
        positions = positions + torch.arange(extent, device=self.device).reshape(-1, *behind) * step
    return self.flatten(1)[:, positions]


def decompose_rrelu(
    self: Tensor, noise: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, **_: Any
) -> Any:
    """In evaluation a leaky ReLU with the mean slope; in training it is random."""
    return NotImplemented if training else (torch.nn.functional.leaky_relu(self, (lower + upper) / 2), noise)


def decompose_batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor,
    running_var: Tensor,
    momentum: float,
    eps: float,
) -> Any:
    """``γ (x − μ)/√(σ² + ε) + β`` where the samples are among the channels: one call has a derivative of fixed size."""
    if not isinstance(running_mean.shape[0], SymInt):
        return NotImplemented
    behind = [-1, *[1] * (input.ndim - 2)]
    y = (input - running_mean.reshape(behind)) * (running_var + eps).rsqrt().reshape(behind)
    y = y if weight is None else y * weight.reshape(behind)
    y = y if bias is None else y + bias.reshape(behind)
    return y, input.new_empty(0), input.new_empty(0)


DECOMPOSITIONS: dict[OpOverload, Callable[..., Any]] = {
    **attention.DECOMPOSITIONS,
    **writes.DECOMPOSITIONS,
    **dynamic_parts.DECOMPOSITIONS,
    **scatters.DECOMPOSITIONS,
    aten.as_strided.default: decompose_as_strided,
    aten.convolution.default: sample_convolutions.decompose_convolution,
    aten._cdist_forward.default: decompose_distances,
    aten._trilinear.default: decompose_trilinear,
    aten.cosine_similarity.default: decompose_cosine,
    aten.eye.default: decompose_identity,
    aten.eye.m: decompose_identity,
    aten.hypot.default: decompose_hypotenuse,
    # They differ from maximum and minimum for NaN alone.
    aten.fmax.default: aten.maximum.default,
    aten.fmin.default: aten.minimum.default,
    aten._native_batch_norm_legit_no_training.default: decompose_batch_norm,
    aten.prod.dim_int: decompose_product,
    aten.rrelu_with_noise_functional.default: decompose_rrelu,
    aten.cumprod.default: _decompose_scan(torch.mul),
    aten.logcumsumexp.default: _decompose_scan(_log_add_exp),
}


def kept_whole(table: Collection[OpOverload]) -> set[OpOverload]:
    """Operators of PyTorch's table that stay one call: a row of the bias table each, and ``detach``.

    So a new row is all that an operator needs to reach its rule; it names the overload that models call, e.g.
    ``upsample_nearest2d.vec``. What is better taken apart stands in ``DECOMPOSITIONS``, which go before. ``detach``
    stops the gradient, and PyTorch would make nothing of it.

    Hardshrink and softshrink cannot be kept: PyTorch takes them apart below autograd, before any table is asked.
    """
    return {operator for operator in bias_table() if operator in table} | {aten.detach.default}


def decompositions(alone: bool = False) -> dict[Any, Any]:
    """PyTorch's decompositions into core ATen and our own, without those of the operators that are kept whole.

    Args:
        alone: Whether they are for a graph of one sample.
    """
    table: Any = torch.export.default_decompositions()  # untyped
    kept = kept_whole(table)
    own = DECOMPOSITIONS | (writes.OF_ONE_SAMPLE if alone else {})
    return {operator: rule for operator, rule in table.items() if operator not in kept} | own | written_out()
