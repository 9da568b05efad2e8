"""Layouts written by hand, e.g. ``n c h w``, ``n h w c``, ``n (1 + h w) c``, ``(n h=4 w=4) (h=7 w=7) c``.

One group for each axis of the value: ``n`` is the sample, the space's letters are positions, any other name is a
channel. Several names in parentheses share an axis, the last one running fastest; a number and ``+`` in front are
elements without a position, such as class tokens. A letter that occurs in several groups is split, its coarser part
first.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import torch
from torch import Tensor

from fgcompile.artifact.layouts import BATCH_LETTER
from fgcompile.compiler.expose.layouts.placement import LETTERS, Space
from fgcompile.compiler.expose.layouts.positions import Positions, compressed
from fgcompile.errors import InputError

_GROUP = re.compile(r"\(([^()]*)\)|(\S+)")


def read_pattern(pattern: str, shape: tuple[int, ...], samples: int, space: Space, count: int) -> Positions:
    """The positions that a written layout gives to a value.

    Args:
        pattern: The layout.
        shape: The value's shape at a batch of ``samples``.
        samples: N.
        space: The input's spatial axes, whose letters the pattern uses.
        count: The number of coordinates in all.

    Raises:
        InputError: The layout does not fit the shape.
    """
    groups = [_names(match.group(1) or match.group(2)) for match in _GROUP.finditer(pattern)]
    if len(groups) != len(shape):
        raise InputError(
            f"layout '{pattern}' has {len(groups)} axes, the value has {len(shape)}: give one group an axis"
        )
    sizes = [
        _sizes(names, size - outside, samples, pattern) for (outside, names), size in zip(groups, shape, strict=True)
    ]
    # A letter in several groups is one number in several digits, the coarser first: (n h=4 w=4) (h=7 w=7) c are
    # windows, whose row is 7 times the first h plus the second.
    coordinates: list[Tensor | None] = [None] * count
    for letter, index in (("n", 0), *zip(space.letters, space.coordinates, strict=True)):
        total: Tensor | None = None
        for axis, (outside, names) in enumerate(groups):
            for position, (name, _) in enumerate(names):
                if name == letter:
                    digit = _digit(sizes[axis], position, outside, axis, len(shape))
                    total = digit if total is None else total * sizes[axis][position] + digit
        if total is None:
            raise InputError(f"layout '{pattern}' has no axis '{letter}': use n, {', '.join(space.letters)} and c")
        coordinates[index] = compressed(total.to(torch.get_default_dtype()).expand(shape))
    return Positions(shape, tuple(coordinates))


def spatial_axes(pattern: str, rank: int) -> list[int]:
    """Which axes of an input a written layout says to be space, in the order of their letters.

    Raises:
        InputError: It does not fit the rank, the batch is not in front, or no axis is space.
    """
    names = pattern.split()
    if len(names) != rank:
        raise InputError(f"layout '{pattern}' has {len(names)} axes, the input has {rank}: give one name an axis")
    if names[0] != BATCH_LETTER:
        elsewhere = "has the batch on another axis, which only the input's own name may tell, no pattern of names"
        missing = "names no batch: call the axis of the samples n"
        raise InputError(f"layout '{pattern}' {elsewhere if BATCH_LETTER in names else missing}")
    found = _spaces(names)
    if not found:
        known = ", ".join(" ".join(letters) for letters in LETTERS.values())
        raise InputError(f"layout '{pattern}' has no axis of space: name these {known}, and write 'none' for no map")
    return [names.index(letter) for letter in found[-1]]


def batch_in_front(pattern: str) -> str:
    """An input's layout once its batch is moved to the front; ``none`` where it tells of the batch alone."""
    names = pattern.split()
    others = [name for name in names if name != BATCH_LETTER]
    return " ".join([BATCH_LETTER, *others]) if _spaces(names) else "none"


def _spaces(names: Sequence[str]) -> list[str]:
    """The letters of each space that the names have."""
    return [letters for letters in LETTERS.values() if set(letters) <= set(names)]


def _names(group: str) -> tuple[int, list[tuple[str, int | None]]]:
    prefix, plus, rest = group.rpartition("+")
    names = []
    for name in rest.split():
        letter, _, size = name.partition("=")
        names.append((letter, int(size) if size else None))
    return int(prefix) if plus else 0, names


def _sizes(names: Sequence[tuple[str, int | None]], size: int, samples: int, pattern: str) -> list[int]:
    given = [samples if name == "n" else number for name, number in names]
    known = math.prod(number for number in given if number is not None)
    unknown = given.count(None)
    part = round((size // known) ** (1 / unknown)) if unknown else 1
    sizes = [part if number is None else number for number in given]
    if math.prod(sizes) != size:
        raise InputError(f"layout '{pattern}' does not divide an axis of {size}: write sizes, such as (h=14 w=10)")
    return sizes


def _digit(sizes: Sequence[int], position: int, outside: int, axis: int, rank: int) -> Tensor:
    """One name's index along an axis that several share; NaN for the elements in front."""
    faster = math.prod(sizes[position + 1 :])
    index = (torch.arange(math.prod(sizes)) // faster % sizes[position]).to(torch.get_default_dtype())
    along = torch.cat([torch.full((outside,), torch.nan), index])
    return along.reshape([-1 if a == axis else 1 for a in range(rank)])
