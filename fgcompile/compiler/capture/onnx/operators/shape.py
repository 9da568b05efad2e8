"""Shapes, and what gives a tensor another one: every element stays, or is repeated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.compiler.capture.onnx.values import Filled, Known, as_tensor, is_symbolic, known
from fgcompile.errors import UnsupportedOpError


def shape(x: Any, *, start: int = 0, end: int | None = None) -> Known:
    """The sizes of axes ``start`` to ``end``."""
    return known(list(x.shape)[start:end])


def size(x: Any) -> Known:
    """How many elements there are."""
    return known(math.prod(x.shape))


def reshape(x: Tensor, shape: Sequence[Any], *, allowzero: int = 0) -> Tensor:
    """A size of 0 is the one that ``x`` has there, unless ``allowzero``; −1 is what is left."""
    return x.reshape(_reshaped(x.shape, shape, allowzero))


def reshape_numbers(x: Known, shape: Known, *, allowzero: int = 0) -> Any:
    if is_symbolic(shape):
        return reshape(as_tensor(x), shape.tolist(), allowzero=allowzero)
    return x.reshape(_reshaped(x.shape, shape.tolist(), allowzero))


def _reshaped(sizes: Sequence[Any], shape: Sequence[Any], allowzero: int) -> list[Any]:
    copied = not allowzero
    return [sizes[axis] if copied and _is(size, 0) else size for axis, size in enumerate(shape)]


def _is(size: Any, number: int) -> bool:
    """Whether a size is a number; a symbol is none."""
    return isinstance(size, int) and size == number


def flatten(x: Tensor, *, axis: int = 1) -> Tensor:
    """``(d0, …, dr)`` to two axes, those before ``axis`` and those from it on."""
    axis = axis + x.ndim if axis < 0 else axis
    if axis == 0:
        return x.reshape(1, -1)
    return x.reshape(math.prod(x.shape[:axis]), -1) if axis != 1 else x.flatten(1)


def squeeze(x: Tensor, axes: Sequence[int] | int | None = None) -> Tensor:
    """Without those axes of size 1, or without all of them that are known to be."""
    if axes is None:
        axes = [axis for axis, size in enumerate(x.shape) if _is(size, 1)]
    wanted = axes if isinstance(axes, Sequence) else [axes]
    if wide := [axis for axis in wanted if isinstance(x.shape[axis], int) and x.shape[axis] != 1]:
        raise UnsupportedOpError(f"it takes axis {wide[0]} away, which has the size {x.shape[wide[0]]}")
    return x.squeeze(tuple(axes) if isinstance(axes, Sequence) else axes)


def squeeze_numbers(x: Known, axes: Known | None = None) -> Known:
    return np.squeeze(x, None if axes is None else tuple(axes.reshape(-1).tolist()))


def unsqueeze(x: Tensor, axes: Sequence[int] | int) -> Tensor:
    """With axes of size 1, counted in the result."""
    wanted = list(axes) if isinstance(axes, Sequence) else [axes]
    rank = x.ndim + len(wanted)
    for axis in sorted(axis + rank if axis < 0 else axis for axis in wanted):
        x = x.unsqueeze(axis)
    return x


def unsqueeze_numbers(x: Known, axes: Known) -> Known:
    return np.expand_dims(x, tuple(axes.reshape(-1).tolist()))


def expand(x: Tensor, shape: Sequence[Any]) -> Tensor:
    """Broadcast with a shape, whose sizes of 1 leave those of ``x``."""
    added = len(shape) - x.ndim
    sizes = [*shape[: max(added, 0)]]
    for axis, own in enumerate(x.shape):
        wanted = shape[axis + added] if axis + added >= 0 else 1
        sizes.append(wanted if _is(own, 1) and not _is(wanted, 1) and not _is(wanted, -1) else -1)
    return x.expand(sizes)


def expand_numbers(x: Known, shape: Known) -> Any:
    if is_symbolic(shape) and x.size == 1 and len(shape) >= x.ndim:
        return Filled(tuple(shape.tolist()), x.reshape(()))
    if is_symbolic(shape):
        return expand(as_tensor(x), shape.tolist())
    return np.broadcast_to(x, np.broadcast_shapes(x.shape, tuple(shape.tolist())))


def tile(x: Tensor, repeats: Sequence[Any]) -> Tensor:
    """So many copies behind each other along each axis."""
    if all(_is(count, 1) or _is(size, 1) for count, size in zip(repeats, x.shape, strict=True)):
        return x.expand([-1 if _is(count, 1) else count for count in repeats])
    return x.repeat(*repeats)


def tile_numbers(x: Known, repeats: Known) -> Any:
    if is_symbolic(repeats):
        return tile(as_tensor(x), repeats.tolist())
    return np.tile(x, repeats.tolist())


def transpose(x: Tensor, *, perm: Sequence[int] | None = None) -> Tensor:
    """Its axes in that order, or in the opposite one."""
    return x.permute(list(perm) if perm is not None else list(range(x.ndim))[::-1])


def transpose_numbers(x: Known, *, perm: Sequence[int] | None = None) -> Known:
    return np.transpose(x, perm)


def concat(*tensors: Tensor, axis: int) -> Tensor:
    """All behind each other along an axis."""
    return torch.cat(tensors, axis)


def concat_numbers(*parts: Known, axis: int) -> Known:
    return known(np.concatenate([part.astype(object) for part in parts], axis))


def constant_of_shape(shape: Known, *, value: Known | None = None) -> Any:
    """``value``, or 0 as float32, at every place of a shape."""
    number = np.zeros((), np.float32) if value is None else value.reshape(())
    return np.full(tuple(shape.tolist()), number)


def filled(shape: Known, *, value: Known | None = None) -> Filled:
    """The same of a shape that has symbols."""
    number = np.zeros((), np.float32) if value is None else value.reshape(())
    return Filled(tuple(shape.tolist()), number)


SHAPE: dict[str, Operator] = {
    "Shape": Operator(shape, on_numbers=shape, either=("x",)),
    "Size": Operator(size, on_numbers=size, either=("x",)),
    "Reshape": Operator(reshape, ("shape",), reshape_numbers),
    "Flatten": Operator(flatten),
    "Squeeze": Operator(squeeze, ("axes",), squeeze_numbers),
    "Unsqueeze": Operator(unsqueeze, ("axes",), unsqueeze_numbers),
    "Expand": Operator(expand, ("shape",), expand_numbers),
    "Tile": Operator(tile, ("repeats",), tile_numbers),
    "Transpose": Operator(transpose, on_numbers=transpose_numbers),
    "Concat": Operator(concat, on_numbers=concat_numbers),
    "ConstantOfShape": Operator(constant_of_shape, on_numbers=filled, either=("shape",)),
}
