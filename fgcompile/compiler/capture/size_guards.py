"""What capturing took for granted of the sizes that are dynamic, ``s > 20`` or ``s % 2 == 0``, is tried where it fails.

A model may decide by its size; its graph goes the way of the example. So for each of these conditions the nearest
smaller and larger sizes at which it does not hold are looked for, and there the graph has to return what the model
does. Most conditions are PyTorch's own, and change nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from fgcompile.compiler.capture.agreement import differs
from fgcompile.compiler.capture.user_code import Place, own_line
from fgcompile.compiler.ir.programs import CapturedProgram
from fgcompile.compiler.ir.sizes import dimension_names, hint, is_fixed, repeated
from fgcompile.compiler.ir.torch_internals import conditions_of, evaluated, expression
from fgcompile.errors import CaptureError

NEAR = 64
"""How many sizes on either side of the example's are looked at one by one."""

FARTHEST = 4
"""How many times the example's a size is looked at; models take time there."""


@dataclass(frozen=True)
class _Axis:
    """A symbol among the inputs' sizes, its number at the example, the axes' name, and how many times it they are."""

    symbol: Any
    example: int
    name: str
    factor: int


def find_turns(captured: CapturedProgram, model: nn.Module, inputs: Sequence[Tensor]) -> dict[str, int]:
    """The largest size below the example's at which the model goes another way than its graph, by its axis's name.

    Raises:
        CaptureError: It does at a larger size; names the line that decides.
    """
    placeholders = captured.graph_module.graph.find_nodes(op="placeholder")[: len(inputs)]
    shapes = [node.meta["val"].shape for node in placeholders]
    axes = _axes([node.meta["val"] for node in placeholders])
    numbers = {axis.symbol: axis.example for axis in axes}
    numbers[expression(shapes[0][0])] = hint(shapes[0][0])
    conditions = [
        (condition, place and own_line(*place))
        for condition, place in conditions_of(placeholders[0].meta["val"])
        if condition.free_symbols <= numbers.keys()
    ]
    turns: dict[str, int] = {}
    for axis, sign in itertools.product(axes, (1, -1)):
        for count, place in _broken(conditions, axis, numbers, sign).items():
            at = {**numbers, axis.symbol: count}
            values = [repeated(v, _at(shape, at, len(v))) for v, shape in zip(inputs, shapes, strict=True)]
            if not differs(captured, model, values):
                continue
            if sign > 0:
                raise CaptureError(
                    f"{captured.name} decides by its sizes{f' at {place}' if place else ''}: with a {axis.name} of "
                    f"{count * axis.factor} in place of {axis.example * axis.factor} it goes another way, and one "
                    "graph cannot: remove the condition, or leave out dynamic_sizes"
                )
            turns[axis.name] = max(count * axis.factor, turns.get(axis.name, 0))
    return turns


def _axes(values: Sequence[Tensor]) -> list[_Axis]:
    names = dimension_names(values)
    found: dict[Any, _Axis] = {}
    size: Any  # a number or a SymInt
    for value in values:
        for size in value.shape[1:]:
            if not is_fixed(size):
                factor, symbol = expression(size).as_coeff_Mul()
                name, times = names.get(str(symbol), str(symbol)), int(factor)
                found.setdefault(symbol, _Axis(symbol, hint(size) // times, name, times))
    return list(found.values())


def _at(shape: Sequence[Any], numbers: Mapping[Any, int], samples: int) -> list[int]:
    """A shape at other sizes."""
    return [samples, *(evaluated(size, numbers) for size in shape[1:])]


def _broken(
    conditions: Sequence[tuple[Any, Place | None]], axis: _Axis, numbers: Mapping[Any, int], sign: int
) -> dict[int, Place | None]:
    """The nearest sizes of an axis, larger or smaller, at which a condition does not hold, and where that stands."""
    found: dict[int, Place | None] = {}
    for condition, place in conditions:
        if axis.symbol not in condition.free_symbols:
            continue

        def holds(count: int, condition: Any = condition) -> bool:
            try:
                return str(condition.subs({**numbers, axis.symbol: count})) != "False"
            except (ZeroDivisionError, AssertionError):  # a remainder of no places, say
                return False

        before = axis.example
        for count in _sizes(axis.example, sign):
            if not holds(count):
                while abs(count - before) > 1:
                    middle = (count + before) // 2
                    before, count = (middle, count) if holds(middle) else (before, middle)
                found[count] = found.get(count) or place
                break
            before = count
    return found


def _sizes(example: int, sign: int) -> Iterator[int]:
    """Sizes on one side of the example's, the nearest first; further away ever fewer."""
    step, count = 1, example + sign
    while 1 <= count <= max(FARTHEST * example, example + NEAR):
        yield count
        step = 1 if abs(count - example) < NEAR else 2 * step
        count += sign * step
    if sign < 0 and count < 1 < example:
        yield 1
