"""Which of two sizes is the larger at every size of the input, as far as their expressions tell."""

from __future__ import annotations

from typing import Any

import torch

from fgcompile.compiler.ir.torch_internals import expression


def surely_at_most(a: int | torch.SymInt, b: int | torch.SymInt) -> bool:
    """Whether ``a ≤ b`` at every size; nothing is assumed from then on.

    Of ``a`` the floors of quotients are left out, which makes it no smaller: ``(s − 9)//4 + 1`` is at most ``s``, since
    ``s − (s − 9)/4 − 1`` grows with ``s`` and is not negative at 1. What is not linear then is not known.
    """
    if isinstance(a, int) and isinstance(b, int):
        return a <= b
    lower: Any = b if isinstance(b, int) else expression(b)
    upper = _without_floors(a if isinstance(a, int) else expression(a))
    if upper is None:
        return False
    difference = (lower - upper).expand()
    least = difference.subs(dict.fromkeys(difference.free_symbols, 1))
    for symbol in difference.free_symbols:
        slope = difference.diff(symbol)
        if not slope.is_number or slope < 0:
            return False
    return bool(least >= 0)


def _without_floors(size: Any) -> Any:
    """An expression that is no smaller, sums and multiples of symbols; None where there is none so simple."""
    if isinstance(size, int) or size.is_number or size.is_Symbol:
        return size
    if size.is_Add:
        parts = [_without_floors(part) for part in size.args]
        return None if None in parts else sum(parts)
    if size.is_Mul:
        factor, rest = size.as_coeff_Mul()
        if factor < 0:  # a floor that is subtracted makes it larger
            return size if rest.is_Symbol else None
        return _scaled(rest, factor)
    if type(size).__name__ == "FloorDiv" and size.args[1].is_number:
        return _scaled(size.args[0], 1 / size.args[1])
    return None


def _scaled(size: Any, factor: Any) -> Any:
    bound = None if size.is_Mul else _without_floors(size)
    return None if bound is None else factor * bound
