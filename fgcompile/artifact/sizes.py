"""What dynamic sizes are in a call: those of its inputs by name, and what an output's make of them."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping

_OPERATORS: Mapping[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
}


def named_size(dimension: str, size: int) -> tuple[str, int]:
    """The name in an input's dimension, and what it stands for: 14 of ``"16*height"`` where the axis has 224."""
    factor, star, name = dimension.partition("*")
    return (name, size // int(factor)) if star and factor.isdigit() else (dimension, size)


def size_of(written: int | str, sizes: Mapping[str, int]) -> int | None:
    """A size as metadata write it: a number, a name, ``"16*height"`` or ``"(height - 1)//2 + 1"``.

    Args:
        written: It.
        sizes: What the names stand for.

    Returns:
        The number; None where a name or a function in it is not known.
    """
    if isinstance(written, int):
        return written
    try:
        return _value(ast.parse(written, mode="eval").body, sizes)
    except (SyntaxError, LookupError, ZeroDivisionError, ValueError):
        return None


def _value(node: ast.expr, sizes: Mapping[str, int]) -> int:
    """The number that an expression is.

    Raises:
        LookupError: It has another name, or something else than sums, products and whole quotients.
    """
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    if isinstance(node, ast.Name):
        return sizes[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand, sizes)
    if isinstance(node, ast.BinOp):
        return _OPERATORS[type(node.op)](_value(node.left, sizes), _value(node.right, sizes))
    raise LookupError(type(node).__name__)
