"""What each operator on complex numbers is of pairs of real ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import fx

from fgcompile.compiler.biases.homogeneous import MOVES, PADDINGS
from fgcompile.compiler.capture.complex_pairs import fourier
from fgcompile.compiler.capture.complex_pairs.pair import Calls, Operand, Pair
from fgcompile.compiler.ir.torch_internals import OpOverload

aten = torch.ops.aten

Rule = Callable[..., Pair | fx.Node]
"""Takes ``Calls`` and the arguments of a call, pairs in place of complex nodes; returns what takes its place."""

EACH_PART = (
    *MOVES,
    aten.alias.default,
    aten.clone.default,
    aten.detach.default,
    aten.neg.default,
    aten._neg_view.default,
    aten.sum.dim_IntList,
    aten.mean.dim,
    aten.cumsum.default,
    *PADDINGS,
)
"""Linear over the reals, and done to either part alone."""


PUT = (
    aten.slice_scatter.default,
    aten.select_scatter.default,
    aten.diagonal_scatter.default,
    aten.index_put.default,
)


def _each(operator: OpOverload) -> Rule:
    def rule(calls: Calls, z: Operand, *args: Any, **kwargs: Any) -> Pair:
        pair = calls.pair(z)
        if isinstance(dtype := kwargs.get("dtype"), torch.dtype):  # as of a sum
            kwargs["dtype"] = dtype.to_real()
        return Pair(calls(operator, pair.real, *args, **kwargs), calls(operator, pair.imag, *args, **kwargs))

    return rule


def _joined(calls: Calls, parts: list[Operand], dim: int = 0) -> Pair:
    pairs = [calls.pair(part) for part in parts]
    return Pair(*(calls(aten.cat.default, [getattr(one, of) for one in pairs], dim) for of in ("real", "imag")))


def _padded(calls: Calls, z: Pair, pad: list[int], value: complex = 0) -> Pair:
    by = complex(value)
    real = calls(aten.constant_pad_nd.default, z.real, pad, by.real)
    return Pair(real, calls(aten.constant_pad_nd.default, z.imag, pad, by.imag))


def _sum(sign: int) -> Rule:
    def rule(calls: Calls, a: Operand, b: Operand, *, alpha: Any = 1) -> Pair:
        if alpha != 1:
            b = b * alpha if isinstance(b, complex) else calls.product(calls.pair(b), complex(alpha))
        return calls.sum(a, b, sign)

    return rule


def _product_by(operator: OpOverload) -> Rule:
    def rule(calls: Calls, a: Operand, b: Operand) -> Pair:
        def multiply(one: fx.Node, other: fx.Node) -> fx.Node:
            return calls(operator, one, other)

        if isinstance(a, fx.Node):
            assert isinstance(b, Pair)
            return Pair(multiply(a, b.real), multiply(a, b.imag))
        assert isinstance(a, Pair)
        if isinstance(b, fx.Node):
            return Pair(multiply(a.real, b), multiply(a.imag, b))
        assert isinstance(b, Pair)
        return calls.bilinear(multiply, a, b)

    return rule


def _convolution(calls: Calls, x: Operand, weight: Operand, bias: Operand | None, *settings: Any) -> Pair:
    def multiply(a: fx.Node, b: fx.Node) -> fx.Node:
        return calls(aten.convolution.default, a, b, None, *settings)

    one, other = calls.pair(x), calls.pair(weight)
    product = calls.bilinear(multiply, one, other)
    if bias is None:
        return product
    rank = len(one.real.meta["val"].shape) - 2
    by = calls.pair(bias)
    column = Pair(*(calls(aten.reshape.default, part, [-1, *[1] * rank]) for part in (by.real, by.imag)))
    return calls.sum(product, column, 1)


def _linear(calls: Calls, x: Operand, weight: Operand, bias: Operand | None = None) -> Pair:
    product = _product_by(aten.linear.default)(calls, x, weight)
    assert isinstance(product, Pair)
    return product if bias is None else calls.sum(product, bias, 1)


def _scattered(operator: OpOverload) -> Rule:
    """What is put into a tensor at places of it."""

    def rule(calls: Calls, z: Operand, *args: Any, **kwargs: Any) -> Pair:
        into, at = calls.pair(z), 1 if operator is aten.index_put.default else 0
        value = calls.pair(args[at])
        parts = ((into.real, value.real), (into.imag, value.imag))
        return Pair(*(calls(operator, whole, *args[:at], part, *args[at + 1 :], **kwargs) for whole, part in parts))

    return rule


def _filled(calls: Calls, size: Any, value: complex, *, dtype: torch.dtype, **options: Any) -> Pair:
    by, kind = complex(value), dtype.to_real()
    real = calls(aten.full.default, size, by.real, dtype=kind, **options)
    return Pair(real, calls(aten.full.default, size, by.imag, dtype=kind, **options))


def _number(calls: Calls, value: complex, *, dtype: torch.dtype, **options: Any) -> Pair:
    return _filled(calls, [], value, dtype=dtype, **options)


def _norm(calls: Calls, z: Pair, *args: Any, dtype: torch.dtype | None = None) -> fx.Node:
    """The norm of the magnitudes."""
    kind = None if dtype is None else dtype.to_real()
    return calls(aten.linalg_vector_norm.default, calls.magnitude(z), *args, dtype=kind)


def _variance(calls: Calls, z: Pair, *args: Any, **kwargs: Any) -> fx.Node:
    real, imaginary = (calls(aten.var.correction, part, *args, **kwargs) for part in (z.real, z.imag))
    return calls.add(real, imaginary)


def _root(calls: Calls, z: Pair) -> Pair:
    return calls.polar(calls(aten.sqrt.default, calls.magnitude(z)), calls.multiply(calls.angle(z), 0.5))


def _filled_like(calls: Calls, like: Operand, value: complex, **options: Any) -> Pair:
    by, shape = complex(value), calls.pair(like).real
    options = {key: option for key, option in options.items() if key != "dtype"}
    real = calls(aten.full_like.default, shape, by.real, **options)
    return Pair(real, calls(aten.full_like.default, shape, by.imag, **options))


def _where(calls: Calls, condition: fx.Node, a: Operand, b: Operand) -> Pair:
    one, other = calls.pair(a), calls.pair(b)
    return Pair(
        calls(aten.where.self, condition, one.real, other.real), calls(aten.where.self, condition, one.imag, other.imag)
    )


def _conjugate(calls: Calls, z: Pair) -> Pair:
    return Pair(z.real, calls(aten.neg.default, z.imag))


def _exponential(calls: Calls, z: Pair) -> Pair:
    return calls.polar(calls(aten.exp.default, z.real), z.imag)


def _logarithm(calls: Calls, z: Pair) -> Pair:
    return Pair(calls(aten.log.default, calls.magnitude(z)), calls.angle(z))


def _power(calls: Calls, z: Pair, exponent: Any) -> Pair:
    result = z
    for _ in range(int(exponent) - 1):
        result = calls.product(result, z)
    return result


def _as_complex(calls: Calls, x: fx.Node) -> Pair:
    last = x.meta["val"].ndim - 1
    return Pair(calls(aten.select.int, x, last, 0), calls(aten.select.int, x, last, 1))


def _converted(calls: Calls, x: Operand, **options: Any) -> Pair | fx.Node:
    """A change of dtype: to complex numbers or between them; of their real parts PyTorch warns, and takes none."""
    dtype = options.pop("dtype", None)
    options = {**options, **({} if dtype is None else {"dtype": dtype.to_real()})}
    z = calls.pair(x)
    return Pair(calls(aten._to_copy.default, z.real, **options), calls(aten._to_copy.default, z.imag, **options))


RULES: Mapping[OpOverload, Rule] = {
    **{operator: _each(operator) for operator in EACH_PART},
    **dict.fromkeys((aten.add.Tensor, aten.add.Scalar), _sum(1)),
    **dict.fromkeys((aten.sub.Tensor, aten.sub.Scalar), _sum(-1)),
    **dict.fromkeys((aten.mul.Tensor, aten.mul.Scalar), lambda calls, a, b: calls.product(a, b)),
    **dict.fromkeys((aten.div.Tensor, aten.div.Scalar), lambda calls, a, b: calls.quotient(a, b)),
    aten.reciprocal.default: lambda calls, z: calls.reciprocal(z),
    aten.mm.default: _product_by(aten.mm.default),
    aten.bmm.default: _product_by(aten.bmm.default),
    aten.matmul.default: _product_by(aten.matmul.default),
    aten.linear.default: _linear,
    aten.convolution.default: _convolution,
    aten.cat.default: _joined,
    aten.constant_pad_nd.default: _padded,
    aten.where.self: _where,
    aten.full.default: _filled,
    aten.full_like.default: _filled_like,
    aten.scalar_tensor.default: _number,
    aten.linalg_vector_norm.default: _norm,
    aten.sqrt.default: _root,
    aten.var.correction: _variance,
    **{operator: _scattered(operator) for operator in PUT},
    aten._conj.default: _conjugate,
    aten.conj_physical.default: _conjugate,
    aten._conj_physical.default: _conjugate,
    aten.exp.default: _exponential,
    aten.log.default: _logarithm,
    aten.pow.Tensor_Scalar: _power,
    aten.complex.default: lambda calls, real, imag: Pair(calls.spread(real, imag), calls.spread(imag, real)),
    aten.polar.default: lambda calls, magnitude, angle: calls.polar(magnitude, angle),
    aten.view_as_complex.default: _as_complex,
    aten.view_as_real.default: lambda calls, z: calls.stacked(z),
    aten.real.default: lambda calls, z: z.real,
    aten.imag.default: lambda calls, z: z.imag,
    aten.abs.default: lambda calls, z: calls.magnitude(z),
    aten.angle.default: lambda calls, z: calls.angle(z),
    aten._to_copy.default: _converted,
    aten._fft_r2c.default: fourier.of_real,
    aten._fft_c2c.default: fourier.of_complex,
    aten._fft_c2r.default: fourier.to_real,
}


def lack_of(node: fx.Node) -> str | None:
    """Why the call of a node is none of these; None where it is one."""
    if node.target in (aten._fft_r2c.default, aten._fft_c2c.default, aten._fft_c2r.default):
        return fourier.lack_of(node)
    if node.target is aten.pow.Tensor_Scalar and node.args[1] not in range(1, _POWERS + 1):
        return f"is a complex power other than 1 to {_POWERS}: write it by exp and log"
    if node.target is aten._to_copy.default and not _is_complex_dtype(node.kwargs.get("dtype")):
        return "makes real numbers of complex ones: take z.real"
    if node.target not in RULES:
        return "computes with complex numbers in a way that no runtime has: write it by real and imaginary parts"
    return None


_POWERS = 4
"""The largest power of a complex number, which is written out by products."""


def _is_complex_dtype(dtype: object) -> bool:
    return isinstance(dtype, torch.dtype) and dtype.is_complex
