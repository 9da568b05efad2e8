"""A product of activations is linear once all but one factor are constants; where none is a weight, each takes a turn.

    weight · a  →  detach(weight) · a              a · b  →  ½ a · detach(b) + ½ detach(a) · b
    a / n       →  a / detach(n)                   a^n    →  a · detach(a^(n−1))

The even split is the uniform rule of AttnLRP (ICML 2024, section 3.2) and LibraGrad (CVPR 2025). The degree of the
product becomes 1 (Euler), so that it needs no bias.
"""

from __future__ import annotations

import torch
from torch import fx

from fgcompile.compiler.ir.torch_internals import OpOverload
from fgcompile.compiler.rules.rewriting import Rewrite, Rewriting

aten = torch.ops.aten


def _product(first: str, second: str) -> Rewrite:
    """An operator that is linear in each of two factors, without a bias."""

    def rewrite(rewriting: Rewriting) -> fx.Node | None:
        if not (rewriting.is_active(first) and rewriting.is_active(second)):
            return None
        first_is_weight = rewriting.arguments[first] in rewriting.weights
        second_is_weight = rewriting.arguments[second] in rewriting.weights
        if first_is_weight and not second_is_weight:
            return rewriting.repeat(first, rewriting.detached(first))
        if second_is_weight and not first_is_weight:
            return rewriting.repeat(second, rewriting.detached(second))
        halves = [
            rewriting.call(aten.mul.Tensor, rewriting.repeat(name, rewriting.detached(name)), 0.5)
            for name in (second, first)
        ]
        return rewriting.call(aten.add.Tensor, *halves)

    return rewrite


def _with_bias(first: str, second: str) -> Rewrite:
    """A linear layer or convolution whose weight is an activation too: the product, then its bias."""
    product = _product(first, second)

    def rewrite(rewriting: Rewriting) -> fx.Node | None:
        bias = rewriting.arguments["bias"]
        if bias is None or not (rewriting.is_active(first) and rewriting.is_active(second)):
            return product(rewriting)
        spatial_rank = rewriting.place.meta["val"].ndim - 2 if rewriting.operator is aten.convolution.default else 0
        if spatial_rank:
            bias = rewriting.call(aten.reshape.default, bias, [-1, *[1] * spatial_rank])
        return rewriting.call(aten.add.Tensor, rewriting.repeat("bias", None), bias)

    return rewrite


def _matrix_product_and_sum(rewriting: Rewriting) -> fx.Node | None:
    """``β self + α mat1 mat2`` with two active matrices: the product, then the sum."""
    mat1, mat2 = rewriting.arguments["mat1"], rewriting.arguments["mat2"]
    if not (rewriting.is_active("mat1") and rewriting.is_active("mat2")):
        return None
    product = rewriting.call(aten.mm.default, mat1, mat2)
    scaled = rewriting.call(aten.mul.Tensor, product, rewriting.arguments["alpha"])
    added = rewriting.call(aten.mul.Tensor, rewriting.arguments["self"], rewriting.arguments["beta"])
    return rewriting.call(aten.add.Tensor, added, scaled)


def _quotient(rewriting: Rewriting) -> fx.Node | None:
    if not (rewriting.is_active("self") and rewriting.is_active("other")):
        return None
    return rewriting.repeat("other", rewriting.detached("other"))


def _power(rewriting: Rewriting) -> fx.Node | None:
    exponent = rewriting.arguments["exponent"]
    if not isinstance(exponent, int | float) or exponent < 2 or exponent != int(exponent):
        return None
    factor = rewriting.detached("self")
    if exponent > 2:
        factor = rewriting.call(aten.pow.Tensor_Scalar, factor, exponent - 1)
    return rewriting.call(aten.mul.Tensor, rewriting.arguments["self"], factor)


PRODUCTS: dict[OpOverload, Rewrite] = {
    aten.mul.Tensor: _product("self", "other"),
    aten.mm.default: _product("self", "mat2"),
    aten.bmm.default: _product("self", "mat2"),
    aten.linear.default: _with_bias("input", "weight"),
    aten.convolution.default: _with_bias("input", "weight"),
    aten.addmm.default: _matrix_product_and_sum,
    aten.div.Tensor: _quotient,
    aten.pow.Tensor_Scalar: _power,
}
