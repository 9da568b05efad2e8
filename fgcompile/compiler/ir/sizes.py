"""Shapes of a graph's values: fake tensors on every node, and their static description."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from fgcompile.compiler.ir.programs import Shape
from fgcompile.compiler.ir.torch_internals import example, expression


def is_fixed(size: int | torch.SymInt) -> bool:
    """Whether a size is a number, be it a symbol that was found to equal one."""
    return isinstance(size, int) or bool(expression(size).is_number)


def hint(size: int | torch.SymInt) -> int:
    """A size at the example's."""
    if isinstance(size, int):
        return size
    # A symbol that was found to equal a number may have been none of the example's.
    return int(expression(size)) if is_fixed(size) else example(size)


def same_size(a: int | torch.SymInt, b: int | torch.SymInt) -> bool:
    """Whether two sizes are one expression; to compare symbols for equality would make them equal from then on."""
    return str(a) == str(b)


def difference(a: int | torch.SymInt, b: int | torch.SymInt) -> int | None:
    """``a − b`` where that is one number at every size; nothing is assumed from then on."""
    found: Any = a - b
    if not isinstance(found, int):
        found = expression(found).expand()
        found = int(found) if found.is_number else None
    return found  # type: ignore[no-any-return]


def multiple_of(size: int | torch.SymInt, samples: int | torch.SymInt) -> bool:
    """Whether a size is a number, or the number of samples times a number: no other dynamic size is in it."""
    return is_fixed(size) or (
        not is_fixed(samples) and bool((expression(size) / expression(samples)).is_number)  # type: ignore[arg-type]
    )


def symbol_values(pairs: Sequence[tuple[Tensor, Tensor]]) -> dict[Any, int | torch.SymInt]:
    """What each symbol of the first tensors' sizes, symbols or multiples of one, is by the second ones'."""
    values: dict[Any, int | torch.SymInt] = {}
    size: Any  # a number or a SymInt
    for symbolic, value in pairs:
        for size, given in zip(symbolic.shape, value.shape, strict=True):
            if not is_fixed(size):
                factor, symbol = expression(size).as_coeff_Mul()
                values.setdefault(symbol, given if factor == 1 else given // int(factor))
    return values


def describe(value: Tensor, names: Mapping[str, str]) -> Shape:
    """The shape with symbolic dimensions by name, e.g. ``("batch", 64, 56, 56)`` or ``("12*batch", 197, 64)``.

    Args:
        value: A fake tensor.
        names: Maps a symbol of the fake mode, e.g. ``"s77"``, to its name, e.g. ``"batch"``.
    """
    return tuple(hint(size) if is_fixed(size) else _dimension(size, names) for size in value.shape)


BATCH = "batch"
"""The name of the batch's size."""

SPACE = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}
"""The names of dynamic spatial sizes, by their number."""


def dimension_names(inputs: Sequence[Tensor]) -> dict[str, str]:
    """The names of the inputs' symbols: the batch, and those of space; a second input's own height is ``height_2``."""
    names = {str(inputs[0].shape[0]): BATCH}
    size: Any  # a number or a SymInt
    for value in inputs:
        sizes, space = value.shape[2:], SPACE.get(value.ndim - 2, ())
        if value.ndim > 1 and not is_fixed(value.shape[1]):
            sizes, space = value.shape[1:2], SPACE[1]  # a sequence
        for size, name in zip(sizes, space, strict=False):
            if not is_fixed(size):
                _, symbol = expression(size).as_coeff_Mul()
                taken = [of for key, of in names.items() if key != str(symbol) and of.partition("_")[0] == name]
                names.setdefault(str(symbol), f"{name}_{len(taken) + 1}" if taken else name)
    return names


def _dimension(size: Any, names: Mapping[str, str]) -> str:
    """The name of a symbol or of a multiple, or else an expression of names, e.g. ``"(height - 1)//2 + 1"``."""
    factor, symbol = expression(size).as_coeff_Mul()
    if str(symbol) in names:
        return names[str(symbol)] if factor == 1 else f"{factor}*{names[str(symbol)]}"
    text = re.sub(r"\bs\d+\b", lambda match: names.get(match.group(), match.group()), str(expression(size)))
    return _PARENTHESES.sub(r"\1", text)


_PARENTHESES = re.compile(r"\((\([^()]*\)//\d+|\w+//\d+)\)")
"""Those that PyTorch's printer puts around a whole quotient, and twice."""


def size_factor(size: str) -> int:
    """What a dynamic size is a multiple of: 16 for ``"16*height"``, 1 for ``"height"``."""
    factor = size.partition("*")[0]
    return int(factor) if factor.isdigit() else 1


def size_name(size: str) -> str:
    """What a dynamic size is a multiple of, by its name: ``height`` for ``"16*height"``."""
    return size.rpartition("*")[2]


def batch_axis(shape: Shape) -> tuple[int, int]:
    """The axis that runs along the batch, and how many entries of it belong to one sample, batch-major.

    ``("batch", 64, 7, 7)`` gives ``(0, 1)``, ``(197, "batch", 768)`` gives ``(1, 1)``, ``("12*batch", 197, 64)``
    gives ``(0, 12)``; ``(-1, 0)`` where no axis does.
    """
    for axis, size in enumerate(shape):
        if match := re.fullmatch(r"(?:(\d+)\*)?batch", str(size)):
            return axis, int(match[1] or 1)
    return -1, 0


def samples_axis(shape: Shape) -> int | None:
    """The axis of which each entry is a sample's, of what an artifact takes or returns; None where there is none."""
    axis, factor = batch_axis(shape)
    return axis if factor == 1 else None


def repeated(value: Tensor, sizes: Sequence[int]) -> Tensor:
    """The value repeated up to other sizes, so that it holds nothing that the example does not."""
    for axis, size in enumerate(sizes):
        value = value.index_select(axis, torch.arange(size) % value.shape[axis])
    return value


def per_axis(value: Sequence[int], rank: int) -> list[int]:
    """A setting of each axis, where one number may stand for all."""
    return list(value) * rank if len(value) == 1 else list(value)
