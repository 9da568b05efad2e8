"""Fourier transforms as products with constant matrices, an axis at a time.

PyTorch's transforms have a size that the graph knows; a fast transform would be no standard operator of every runtime.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx

from fgcompile.compiler.capture.complex_pairs.pair import Calls, Pair
from fgcompile.compiler.ir.sizes import hint, is_fixed

aten = torch.ops.aten

MOST = 4096
"""The longest axis: the matrices grow with its square."""


def lack_of(node: fx.Node) -> str | None:
    """Why a transform has no such matrices; None where it has."""
    sizes = {axis: _size_of(node, axis) for axis in node.args[1]}  # type: ignore[union-attr]
    if any(axis % node.meta["val"].ndim == 0 and not is_fixed(size) for axis, size in sizes.items()):
        return "transforms along the batch, so that samples depend on each other: name the axes, dim="
    if not all(map(is_fixed, sizes.values())):
        return "transforms an axis of a dynamic size, which has no constant matrix: leave out dynamic_sizes"
    longest = max(map(hint, sizes.values()))
    return f"transforms an axis of {longest}, {MOST} at most: transform frames of it" if longest > MOST else None


def _size_of(node: fx.Node, axis: Any) -> Any:
    (source,) = node.all_input_nodes[:1]
    inverse = node.target is aten._fft_c2r.default and axis == node.args[1][-1]  # type: ignore[index]
    return node.args[3] if inverse else source.meta["val"].shape[axis]


def of_real(calls: Calls, x: fx.Node, axes: Sequence[int], norm: int, onesided: bool) -> Pair:
    """``_fft_r2c``: the last axis from real numbers, to half of its frequencies where ``onesided``."""
    *others, last = axes
    size = hint(_size_of(calls.node, last))
    cosines, sines = _waves(size, size // 2 + 1 if onesided else size)
    factor = _factor(calls.node, axes, norm)
    parts = Pair(_along(calls, x, last, factor * cosines, "cos"), _along(calls, x, last, 0 - factor * sines, "sin"))
    return _of_axes(calls, parts, others, forward=True)


def of_complex(calls: Calls, z: Pair, axes: Sequence[int], norm: int, forward: bool) -> Pair:
    """``_fft_c2c``."""
    result = _of_axes(calls, z, axes, forward)
    factor = _factor(calls.node, axes, norm)
    return result if factor == 1 else calls.scaled(result, factor)


def to_real(calls: Calls, z: Pair, axes: Sequence[int], norm: int, size: int) -> fx.Node:
    """``_fft_c2r``: the last axis of ``size // 2 + 1`` frequencies to ``size`` real numbers; an inverse transform.

    The frequencies that are not given are the conjugates of those that are, but for the first and, of an even size, the
    last, whose imaginary parts say nothing.
    """
    *others, last = axes
    size = hint(size)
    z = _of_axes(calls, z, others, forward=False)
    cosines, sines = _waves(size, size // 2 + 1)
    shares = np.ones(size // 2 + 1)
    shares[1 : (size + 1) // 2] = 2
    factor = _factor(calls.node, axes, norm)
    real = _along(calls, z.real, last, (factor * shares * cosines).T, "icos")
    return calls.add(real, _along(calls, z.imag, last, 0 - (factor * shares * sines).T, "isin"))


def _of_axes(calls: Calls, z: Pair, axes: Sequence[int], forward: bool) -> Pair:
    for axis in axes:
        size = hint(_size_of(calls.node, axis))
        cosines, sines = _waves(size, size)

        def multiply(part: fx.Node, wave: Any, axis: int = axis) -> fx.Node:
            return _along(calls, part, axis, wave[0], wave[1])

        matrix = ((cosines, "cos"), (0 - sines, "sin") if forward else (sines, "isin"))
        real = calls.add(multiply(z.real, matrix[0]), multiply(z.imag, matrix[1]), -1)
        z = Pair(real, calls.add(multiply(z.real, matrix[1]), multiply(z.imag, matrix[0])))
    return z


def _along(calls: Calls, x: fx.Node, axis: int, matrix: Any, name: str) -> fx.Node:
    """A product with a matrix ``(n, k)`` along an axis."""
    value: Tensor = x.meta["val"]
    weight = torch.from_numpy(np.ascontiguousarray(matrix.T)).to(value.dtype)
    constant = calls.constant(f"fourier_{calls.node.name}_{axis}_{name}", weight)
    last = value.ndim - 1
    if axis % value.ndim == last:
        return calls(aten.linear.default, x, constant)
    order = list(range(value.ndim))
    order[axis], order[last] = last, axis
    product = calls(aten.linear.default, calls(aten.permute.default, x, order), constant)
    return calls(aten.permute.default, product, order)


def _waves(size: int, frequencies: int) -> tuple[Any, Any]:
    """cos and sin of ``2π k n / N``, ``(N, k)``; products are taken modulo N, which keeps angles exact."""
    angles = np.outer(np.arange(size), np.arange(frequencies)) % size * (2 * np.pi / size)
    cosines, sines = (np.where(abs(wave) < _ZERO, 0.0, wave) for wave in (np.cos(angles), np.sin(angles)))
    return cosines, sines


_ZERO = 1e-15
"""What is left of the sine of a half turn in float64; the smallest sine of another is larger by far."""


def _factor(node: fx.Node, axes: Sequence[int], norm: int) -> float:
    """PyTorch's normalisations: none, by the root of the number of elements, by that number."""
    count = math.prod(hint(_size_of(node, axis)) for axis in axes)
    return (1.0, 1 / math.sqrt(count), 1 / count)[norm]
