"""Homogeneous operators, ``J a = k y``: the bias is ``(1 − k) y``, so nothing for degree 1."""

from __future__ import annotations

import torch

from fgcompile.biases.formula import at_zero, double_vjp, elementwise
from fgcompile.biases.rule import Bias, Call, Homogeneous, Implicit, Rule

aten = torch.ops.aten


def _degree(degree: float, kind: str = "activation") -> Rule:
    return Rule(kind, lambda call: Homogeneous(degree))


def _quotient(call: Call) -> Bias:
    return Homogeneous(int(call.is_active("self")) - int(call.is_active("other")))


def _power(call: Call) -> Bias:
    exponent = call.arguments["exponent"]
    return Homogeneous(exponent) if isinstance(exponent, int | float) else Implicit(elementwise)


def _zero_padding(call: Call) -> Bias:
    return Homogeneous(1) if not call.arguments.get("value") else Implicit(at_zero)


def _joined(call: Call) -> Bias:
    """A concatenation is linear in its active parts; its constant parts are its bias."""
    parts = call.arguments["tensors"]
    return Homogeneous(1) if all(part in call.active for part in parts) else Implicit(at_zero)


def _chosen(call: Call) -> Bias:
    """``where(condition, a, b)``: linear in what is active; a constant branch is its bias."""
    both = call.is_active("self") and call.is_active("other")
    return Homogeneous(1) if both else Implicit(at_zero)


def _extreme(call: Call) -> Bias:
    """The larger or smaller of two activations is one of them; of an activation and a constant, see elementwise."""
    both = call.is_active("self") and call.is_active("other")
    return Homogeneous(1) if both else Implicit(double_vjp)


DEGREE_ONE = (
    aten.relu.default,
    aten.leaky_relu.default,
    aten._prelu_kernel.default,
    aten.abs.default,
    aten.neg.default,
    aten.clone.default,
    aten.alias.default,
    aten._to_copy.default,
    aten.max_pool2d_with_indices.default,
    aten.max_pool3d_with_indices.default,
    aten.max_pool1d.default,
    aten.max_pool2d.default,
    aten.max_pool3d.default,
    aten.avg_pool1d.default,
    aten.avg_pool2d.default,
    aten.avg_pool3d.default,
    aten.adaptive_avg_pool1d.default,
    aten._adaptive_avg_pool2d.default,
    aten._adaptive_avg_pool3d.default,
    aten.adaptive_max_pool2d.default,
    aten.adaptive_max_pool3d.default,
    aten.sum.default,
    aten.sum.dim_IntList,
    aten.mean.default,
    aten.mean.dim,
    aten.amax.default,
    aten.amin.default,
    aten.max.dim,
    aten.min.dim,
    aten.cumsum.default,
    aten.view.default,
    aten._unsafe_view.default,
    aten.reshape.default,
    aten.permute.default,
    aten.transpose.int,
    aten.t.default,
    aten.squeeze.default,
    aten.squeeze.dim,
    aten.squeeze.dims,
    aten.unsqueeze.default,
    aten.expand.default,
    aten.repeat.default,
    aten.flip.default,
    aten.roll.default,
    aten.slice.Tensor,
    aten.select.int,
    aten.narrow.default,
    aten.split.Tensor,
    aten.split_with_sizes.default,
    aten.unbind.int,
    aten.stack.default,
    aten.index_select.default,
    aten.index.Tensor,
    aten.gather.default,
    aten.as_strided.default,
    aten.unfold.default,
    aten.diagonal.default,
    aten.tril.default,
    aten.triu.default,
    aten.pixel_shuffle.default,
    aten.pixel_unshuffle.default,
    aten.im2col.default,
    aten.col2im.default,
    aten.channel_shuffle.default,
    aten.reflection_pad1d.default,
    aten.reflection_pad2d.default,
    aten.reflection_pad3d.default,
    aten.replication_pad1d.default,
    aten.replication_pad2d.default,
    aten.replication_pad3d.default,
    aten.upsample_nearest1d.default,
    aten.upsample_nearest2d.default,
    aten.upsample_nearest3d.default,
    aten.upsample_linear1d.default,
    aten.upsample_bilinear2d.default,
    aten.upsample_trilinear3d.default,
    aten.upsample_bicubic2d.default,
    aten.upsample_nearest1d.vec,
    aten.upsample_nearest2d.vec,
    aten.upsample_nearest3d.vec,
    aten._upsample_nearest_exact1d.default,
    aten._upsample_nearest_exact2d.default,
    aten._upsample_nearest_exact3d.default,
    aten.upsample_linear1d.vec,
    aten.upsample_bilinear2d.vec,
    aten.upsample_trilinear3d.vec,
    aten.upsample_bicubic2d.vec,
    aten._upsample_bilinear2d_aa.default,
    aten._upsample_bicubic2d_aa.default,
    aten.sort.default,
    aten.sort.stable,
    aten.topk.default,
)

HOMOGENEOUS: dict[torch._ops.OpOverload, Rule] = {
    **{operator: _degree(1) for operator in DEGREE_ONE},
    aten.sign.default: _degree(0),
    aten.detach.default: _degree(0),
    aten.sqrt.default: _degree(0.5),
    aten.rsqrt.default: _degree(-0.5),
    aten.reciprocal.default: _degree(-1),
    aten.square.default: _degree(2),
    aten.pow.Tensor_Scalar: Rule("activation", _power),
    aten.div.Tensor: Rule("quotient", _quotient),
    aten.maximum.default: Rule("activation", _extreme),
    aten.minimum.default: Rule("activation", _extreme),
    aten.constant_pad_nd.default: Rule("padding", _zero_padding),
    aten.cat.default: Rule("concatenation", _joined),
    aten.where.self: Rule("choice", _chosen),
}
