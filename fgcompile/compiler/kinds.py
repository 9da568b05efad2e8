"""The kinds of values that options have: a function each, which passes one as Python's own or refuses it by name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from types import MappingProxyType
from typing import Any

import numpy as np
from torch import Tensor

from fgcompile.errors import InputError


def one_of(what: str, value: object, allowed: Sequence[str]) -> str:
    """Checks a named choice, and returns it.

    Raises:
        InputError: ``value`` is not among ``allowed``.
    """
    if not isinstance(value, str) or value not in allowed:
        raise InputError(f"{what} is {value!r}, which is not one of {', '.join(map(repr, allowed))}")
    return str(value)


def named(what: str, given: object, kind: type, kinds: str) -> Mapping[str, Any]:
    """A copy, for reading alone, of a mapping of names to values of one kind."""
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise InputError(f"{what} is {given!r}: pass a mapping of names to {kinds}")
    for name, value in given.items():
        if not isinstance(value, kind):
            raise InputError(f"{what} has {type(value).__name__} for '{name}': pass a mapping of names to {kinds}")
    return MappingProxyType({str(name): value for name, value in given.items()})


def flag(what: str, given: object) -> bool:
    if not isinstance(given, bool | np.bool_):
        raise InputError(f"{what} is {given!r}: pass True or False")
    return bool(given)


def numbers_of(given: Sequence[float] | float) -> tuple[float, ...]:
    """A mean's or deviation's numbers: one for all channels, or one for each."""
    return tuple(given) if isinstance(given, Sequence) else (given,)


def integer(
    what: str, given: object, least: float = -math.inf, most: float = math.inf, advice: str = "pass an int"
) -> int:
    """A whole number of Python's or NumPy's within bounds; a truth is none."""
    if not isinstance(given, Integral) or isinstance(given, bool) or not least <= int(given) <= most:
        raise InputError(f"{what} is {given!r}: {advice}")
    return int(given)


def real(what: str, given: object) -> float:
    """A finite number of Python's; of tensors those with one element are numbers too."""
    number = given.item() if isinstance(given, Tensor) and given.numel() == 1 else given
    if not isinstance(number, Real) or isinstance(number, bool) or not math.isfinite(number):
        raise InputError(f"{what} is {given!r}: pass a finite number")
    return float(number)


def per_channel(what: str, given: object) -> float | tuple[float, ...]:
    """Finite numbers, one for each channel; or a number by itself, for all of them."""
    if isinstance(given, str) or (not isinstance(given, Iterable | Real) and getattr(given, "ndim", 1) != 0):
        raise InputError(f"{what} is {given!r}: pass one number for each channel, as (0.5, 0.5, 0.5), or one for all")
    if isinstance(given, Real) or getattr(given, "ndim", 1) == 0:
        return real(what, given)
    return tuple(real(what, value) for value in given)  # type: ignore[attr-defined]


FAR = 3.0
"""How many times the distance of black and white a mean may lie outside of them."""

WIDE = 32.0
"""How many times that a standard deviation may be; of numbers between the two it is no more than half of it."""


def require_on_scale(what: str, mean: tuple[float, ...], std: tuple[float, ...], scale: tuple[float, float]) -> None:
    """Refuses a mean and a standard deviation of another scale, which would make one colour of every picture."""
    black, white = scale
    width = white - black
    far = [value for value in mean if not black - FAR * width <= value <= white + FAR * width]
    wide = [value for value in std if value > WIDE * width]
    if far or wide:
        name, value = ("mean", far[0]) if far else ("std", wide[0])
        hint = " (these look like numbers of 0 to 255: scale=(0, 255), --scale 0,255)" if 0 < value <= 255 else ""
        raise InputError(
            f"{what}'s {name} has {value:g}, and black and white are {black:g} and {white:g} on its scale, so that all "
            f"pictures would be of one colour: give the scale that mean and std are numbers of{hint}"
        )


def in_order(what: str, given: Mapping[Any, Any]) -> list[Any]:
    """The names of a mapping from classes, whole numbers or such as JSON has them, in order."""
    numbered = {str(number): name for number, name in given.items()}
    if set(numbered) != {str(number) for number in range(len(given))}:
        raise InputError(f"{what} is a mapping whose keys are not the classes 0, 1 …: pass a list of names, in order")
    return [numbered[str(number)] for number in range(len(given))]
