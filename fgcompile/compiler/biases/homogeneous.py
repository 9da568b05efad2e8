"""Homogeneous operators, ``J a = k y``: the bias is ``(1 − k) y``, so nothing for degree 1."""

from __future__ import annotations

import torch

from fgcompile.compiler.biases.formula import AT_ZERO, double_vjp, elementwise
from fgcompile.compiler.biases.rule import Bias, BiasCall, BiasRule, Homogeneous, Implicit
from fgcompile.compiler.ir.torch_internals import OpOverload

aten = torch.ops.aten


def _degree(degree: float, kind: str = "activation") -> BiasRule:
    formula = "homogeneous, k = 1: none" if degree == 1 else f"homogeneous, k = {degree:g}: (1 − k) y"
    return BiasRule(kind, lambda call: Homogeneous(degree), formula)


def _quotient(call: BiasCall) -> Bias:
    return Homogeneous(int(call.is_active("self")) - int(call.is_active("other")))


def _power(call: BiasCall) -> Bias:
    exponent = call.arguments["exponent"]
    return Homogeneous(exponent) if isinstance(exponent, int | float) else Implicit(elementwise)


def _zero_padding(call: BiasCall) -> Bias:
    return Homogeneous(1) if not call.arguments.get("value") else AT_ZERO


def _joined(call: BiasCall) -> Bias:
    """A concatenation is linear in its active parts; its constant parts are its bias."""
    parts = call.arguments["tensors"]
    return Homogeneous(1) if all(part in call.active for part in parts) else AT_ZERO


def _chosen(call: BiasCall) -> Bias:
    """``where(condition, a, b)``: linear in what is active; a constant branch is its bias."""
    both = call.is_active("self") and call.is_active("other")
    return Homogeneous(1) if both else AT_ZERO


def _scattered(call: BiasCall) -> Bias:
    """A copy of one tensor with another put into it: linear in what is active; a constant one is its bias."""
    return Homogeneous(1) if call.is_active("self") and call.is_active("src") else AT_ZERO


def _extreme(call: BiasCall) -> Bias:
    """The larger or smaller of two activations is one of them; of an activation and a constant, see elementwise."""
    both = call.is_active("self") and call.is_active("other")
    return Homogeneous(1) if both else Implicit(double_vjp)


MOVES = (
    aten.reshape.default,
    aten.permute.default,
    aten.squeeze.dims,
    aten.unsqueeze.default,
    aten.expand.default,
    aten.repeat.default,
    aten.flip.default,
    aten.slice.Tensor,
    aten.select.int,
    aten.split_with_sizes.default,
    aten.index_select.default,
    aten.index.Tensor,
    aten.gather.default,
    aten.unfold.default,
    aten.diagonal.default,
)
"""What moves elements, or repeats or leaves out some, and computes nothing."""

PADDINGS = (
    aten.reflection_pad1d.default,
    aten.reflection_pad2d.default,
    aten.reflection_pad3d.default,
    aten.replication_pad1d.default,
    aten.replication_pad2d.default,
    aten.replication_pad3d.default,
)
"""What repeats elements around others."""

DEGREE_ONE = (
    aten.relu.default,
    aten.leaky_relu.default,
    aten._prelu_kernel.default,
    aten.abs.default,
    aten.neg.default,
    aten.clone.default,
    aten._to_copy.default,
    aten.max_pool2d_with_indices.default,
    aten.max_pool3d_with_indices.default,
    aten.avg_pool2d.default,
    aten.avg_pool3d.default,
    aten._adaptive_avg_pool2d.default,
    aten._adaptive_avg_pool3d.default,
    aten.adaptive_max_pool2d.default,
    aten.adaptive_max_pool3d.default,
    aten.sum.dim_IntList,
    aten.mean.dim,
    aten.amax.default,
    aten.amin.default,
    aten.max.dim,
    aten.median.dim,
    aten.kthvalue.default,
    aten.cummax.default,
    aten.cummin.default,
    aten.linalg_vector_norm.default,
    aten.min.dim,
    aten.cumsum.default,
    *MOVES,
    aten.im2col.default,
    aten.col2im.default,
    *PADDINGS,
    aten.upsample_nearest1d.vec,
    aten.upsample_nearest2d.vec,
    aten.upsample_nearest3d.vec,
    aten._upsample_nearest_exact1d.vec,
    aten._upsample_nearest_exact2d.vec,
    aten._upsample_nearest_exact3d.vec,
    aten.upsample_linear1d.vec,
    aten.upsample_bilinear2d.vec,
    aten.upsample_trilinear3d.vec,
    aten.upsample_bicubic2d.vec,
    aten._upsample_bilinear2d_aa.default,
    aten._upsample_bicubic2d_aa.default,
    aten.sort.default,
    aten.topk.default,
)

EXTREME = "homogeneous, k = 1: none; fallback beside a constant"
CHOICE = "closed form: g(0); none where both are active"

HOMOGENEOUS: dict[OpOverload, BiasRule] = {
    **{operator: _degree(1) for operator in DEGREE_ONE},
    aten.sign.default: _degree(0),
    aten.sqrt.default: _degree(0.5),
    aten.rsqrt.default: _degree(-0.5),
    aten.reciprocal.default: _degree(-1),
    aten.pow.Tensor_Scalar: BiasRule("activation", _power, "homogeneous, k = exponent: (1 − k) y"),
    aten.div.Tensor: BiasRule(
        "quotient", _quotient, "homogeneous, k = [active numerator] − [active denominator]: (1 − k) y"
    ),
    aten.maximum.default: BiasRule("activation", _extreme, EXTREME),
    aten.minimum.default: BiasRule("activation", _extreme, EXTREME),
    aten.constant_pad_nd.default: BiasRule(
        "padding", _zero_padding, "closed form: g(0); none where it pads with zeros"
    ),
    aten.cat.default: BiasRule("concatenation", _joined, "closed form: g(0); none where every part is active"),
    aten.where.self: BiasRule("choice", _chosen, CHOICE),
    aten.slice_scatter.default: BiasRule("choice", _scattered, CHOICE),
    aten.diagonal_scatter.default: BiasRule("choice", _scattered, CHOICE),
    aten.var.correction: _degree(2, "statistic"),
}
