"""What a model decides by its sizes while it is captured, beside the graph, which holds one decision for all sizes.

    if x.shape[-1] > 30: …      y.sum(-1) / math.sqrt(y.shape[-1])      for t in range(y.shape[1]): …

PyTorch decides by the sizes that it captures with, and notes the answer as a condition on symbols, which no graph
holds. So the model is run beside its graph at the nearest sizes at which a condition does not hold.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from fgcompile.compiler.capture.agreement import is_model_on
from fgcompile.compiler.capture.user_code import Place, users_place
from fgcompile.compiler.ir.graphs import fake_mode
from fgcompile.compiler.ir.programs import CapturedProgram
from fgcompile.compiler.ir.silence import FAKE_TENSORS, unlogged
from fgcompile.compiler.ir.sizes import describe, dimension_names, hint, is_fixed, repeated
from fgcompile.compiler.ir.torch_internals import (
    FakeTensorMode,
    SizeCondition,
    evaluated,
    holds,
    size_conditions,
    symbol_of,
)
from fgcompile.errors import CaptureError

NEAR = (1, 2, 3)
"""Steps from the example's size: a remainder changes at once, what was a number at the next window."""

FACTORS = (2, 4, 16, 64, 1024)
"""What the example's size is multiplied and divided by."""

ROOM = 2**16
"""Elements of inputs that a model is run with in any case, beside four times as many as the example's."""

Numbers = dict[Any, int]
"""The number in place of each symbol."""


class _Change(NamedTuple):
    """Sizes at which a condition does not hold, if there is one, and the symbol whose number is another there."""

    numbers: Numbers
    symbol: Any
    condition: SizeCondition | None


class SizeDecisionError(CaptureError):
    """The graph is the model at the example's sizes and not at larger ones."""


def with_size_decisions(captured: CapturedProgram, model: nn.Module, inputs: Sequence[Tensor]) -> CapturedProgram:
    """The program with the sizes below the example's at which it is not the model, ``other_below``.

    Args:
        captured: The program.
        model: The model.
        inputs: Examples of all inputs, in the program's order.

    Raises:
        SizeDecisionError: It is not the model at larger sizes; names the line that decides.
    """
    # The batch has a name of its own in the export, which refuses whatever decides by it; sizes of space have none.
    values = [node.meta["val"] for node in captured.graph_module.graph.find_nodes(op="placeholder")]
    example = {symbol_of(size): _count(size) for value in values for size in value.shape if not is_fixed(size)}
    batch = None if is_fixed(values[0].shape[0]) else symbol_of(values[0].shape[0])
    below: list[Mapping[str, int]] = []
    for change in _changes(fake_mode(captured.graph_module.graph), example, example.keys() - {batch}):
        sizes = [[evaluated(size, change.numbers) for size in value.shape] for value in values]
        if _is_right(captured, model, inputs, sizes, change):
            continue
        if change.numbers[change.symbol] > example[change.symbol]:
            raise SizeDecisionError(_message(captured.name, change, sizes))
        below.append(_by_name(values, change))
    return dataclasses.replace(captured, other_below=tuple(below)) if below else captured


def _count(size: Any) -> int:
    """The number of a size's symbol at the example: 5 where the size is ``4 s`` and 20."""
    factor = evaluated(size, {symbol_of(size): 1})
    return hint(size) // factor


def _changes(mode: FakeTensorMode, example: Numbers, of_space: Set[Any]) -> Iterator[_Change]:
    """For each condition the nearest numbers above and below the example's at which it does not hold, symbol by symbol.

    Then the next sizes, since a model may decide by what is no condition, ``isinstance(x.shape[2], int)`` say. Sizes
    that were tried for one reason are not tried for another.
    """
    seen = set()
    for condition in size_conditions(mode):
        for symbol in condition.symbols & of_space:
            for ladder in _ladders(example[symbol]):
                number = _nearest(condition, example, symbol, ladder)
                if number is not None and (symbol, number) not in seen:
                    seen.add((symbol, number))
                    yield _Change({**example, symbol: number}, symbol, condition)
    following = {(symbol, example[symbol] + step) for step in (1, -1) for symbol in of_space}
    for symbol, number in sorted(following - seen, key=lambda pair: -pair[1]):
        if number > 0:
            yield _Change({**example, symbol: number}, symbol, None)


def _ladders(size: int) -> tuple[list[int], list[int]]:
    """The numbers to try above a size, and below it, nearest first."""
    above = sorted({size + step for step in NEAR} | {size * factor for factor in FACTORS})
    below = {size - step for step in NEAR} | {size // factor for factor in FACTORS}
    return above, sorted((number for number in below if number > 0), reverse=True)


def _nearest(condition: SizeCondition, example: Numbers, symbol: Any, ladder: Sequence[int]) -> int | None:
    """The nearest number of a symbol on one side at which a condition does not hold: a rung's, then by bisection."""
    near = example[symbol]
    for far in ladder:
        if not holds(condition, {**example, symbol: far}):
            break
        near = far
    else:
        return None
    while abs(far - near) > 1:
        middle = (far + near) // 2
        near, far = (middle, far) if holds(condition, {**example, symbol: middle}) else (near, middle)
    return far


def _is_right(
    captured: CapturedProgram, model: nn.Module, inputs: Sequence[Tensor], sizes: Sequence[list[int]], change: _Change
) -> bool:
    """Whether the program is the model at these sizes, or there is no telling and no reason to doubt it."""
    elements = sum(value[0].numel() for value in inputs)
    if sum(torch.Size(size).numel() for size in sizes) <= max(ROOM, 4 * len(sizes[0]) * elements):
        given = [_drawn(value, size) for value, size in zip(inputs, sizes, strict=True)]
        return is_model_on(captured, model, given) is not False
    return _place(change) is None or not _takes(model, inputs, sizes)


def _place(change: _Change) -> Place | None:
    """The user's line that asked for the condition."""
    return None if change.condition is None else users_place(change.condition.file, change.condition.line)


def _drawn(value: Tensor, sizes: Sequence[int]) -> Tensor:
    """The example at other sizes, noise where it is the same everywhere, as zeros are."""
    if value.is_floating_point() and value.min() == value.max():
        return torch.randn(*sizes, generator=torch.Generator().manual_seed(0)).to(value.dtype)
    return repeated(value, sizes)


def _takes(model: nn.Module, inputs: Sequence[Tensor], sizes: Sequence[list[int]]) -> bool:
    """Whether the model runs at sizes that are too large to be computed, as it does with fake tensors."""
    try:
        with unlogged(FAKE_TENSORS), FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
            model(*(value.new_empty(size) for value, size in zip(inputs, sizes, strict=True)))
    except Exception:  # whatever a model raises at a size that it does not take
        return False
    return True


def _by_name(values: Sequence[Tensor], change: _Change) -> dict[str, int]:
    """The changed sizes by the names that they have in an artifact's inputs."""
    names = dimension_names(values)
    named = (pair for value in values for pair in zip(value.shape, describe(value, names), strict=True))
    return {
        str(name): evaluated(size, change.numbers)
        for size, name in named
        if not is_fixed(size) and symbol_of(size) == change.symbol
    }


def _message(name: str, change: _Change, sizes: Sequence[list[int]]) -> str:
    place = _place(change)
    where = "" if place is None else f" at {place}"
    shapes = ", ".join(str(tuple(size)) for size in sizes)
    return (
        f"{name} decides by the sizes of its input{where}, so that one graph is not the model for "
        f"inputs of shape {shapes} too: compute with sizes there, size ** 0.5 for math.sqrt(size) or size // 2 for "
        f"int(size * 0.5), and leave out conditions on them, or leave out dynamic_sizes"
    )
