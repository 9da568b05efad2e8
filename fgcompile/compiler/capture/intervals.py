"""Between which numbers the values of a graph lie, as far as operators alone say: ``ids % 10`` from 0 to 9.

Interval arithmetic from the inputs on, of which nothing is known unless it is given. What an operator that has no rule
returns may be anything; what a type cannot hold has wrapped around, and may be anything that the type holds.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx
from torch.export import ExportedProgram

from fgcompile.compiler.capture.index_ranges import written_in_place
from fgcompile.compiler.ir.nodes import bind
from fgcompile.compiler.ir.sizes import is_fixed
from fgcompile.compiler.ir.torch_internals import OpOverload

aten = torch.ops.aten


@dataclass(frozen=True)
class Interval:
    """``low ≤ value ≤ high``, and ``value < below``, a dynamic size, where that is known."""

    low: float = -math.inf
    high: float = math.inf
    below: str | None = None

    def lies_in(self, low: float, size: Any) -> bool:
        """Whether all is from ``low`` to ``size − 1``; of a dynamic size, from 0."""
        if is_fixed(size):
            return self.low >= low and self.high < int(size)
        return self.low >= 0 and self.below == str(size)


ANYTHING = Interval()
TRUTH = Interval(0, 1)


def find_intervals(
    exported: ExportedProgram, graph: fx.Graph, given: Mapping[str, Interval]
) -> dict[fx.Node, Interval]:
    """The interval of every tensor of a graph.

    Args:
        exported: The program that the graph is one of, with the values of its constants.
        graph: The graph.
        given: The intervals of inputs, by the nodes' names.
    """
    found: dict[fx.Node, Interval] = {}
    written = {dtype for node in written_in_place(graph) if (dtype := _dtype(node)) not in (None, torch.bool)}
    for node in graph.nodes:
        value = node.meta.get("val")
        if node.op == "placeholder":
            found[node] = given.get(node.name) or _of_constant(exported, node.name)
        elif node.target is operator.getitem:
            found[node] = _of_part(node, found)
        elif isinstance(node.target, OpOverload) and isinstance(value, Tensor):
            rule = RULES.get(node.target.overloadpacket)
            found[node] = ANYTHING if rule is None else rule(_Call(node, found))
        if isinstance(value, Tensor) and node in found:
            found[node] = _held(ANYTHING if value.dtype in written else found[node], value.dtype)
    return found


def _dtype(node: fx.Node) -> torch.dtype | None:
    value = node.meta.get("val")
    return value.dtype if isinstance(value, Tensor) else None


def _of_constant(exported: ExportedProgram, name: str) -> Interval:
    signature = exported.graph_signature
    key = {**signature.inputs_to_buffers, **signature.inputs_to_lifted_tensor_constants}.get(name, "")
    value = exported.state_dict.get(key, exported.constants.get(key))
    known = isinstance(value, Tensor) and value.numel() > 0 and not value.is_complex() and not value.is_floating_point()
    return Interval(int(value.min()), int(value.max())) if known else ANYTHING


def _held(interval: Interval, dtype: torch.dtype) -> Interval:
    """What a type makes of an interval."""
    if dtype == torch.bool:
        return TRUTH
    if dtype.is_floating_point or dtype.is_complex:
        return interval
    limits = torch.iinfo(dtype)
    fits = limits.min <= interval.low and interval.high <= limits.max
    # Of 64 bits the ends are as far as any axis is long.
    return interval if fits or (limits.bits == 64) else Interval(limits.min, limits.max)


class _Call:
    """A call's arguments, by name, as intervals or as they are."""

    def __init__(self, node: fx.Node, found: Mapping[fx.Node, Interval]) -> None:
        self.node = node
        self.arguments = bind(node)
        self._found = found

    def __getitem__(self, name: str) -> Interval:
        return self.of(self.arguments.get(name))

    def of(self, value: Any) -> Interval:
        """What is known of a tensor or a number."""
        if isinstance(value, bool | int | float):
            return Interval(value, value)
        return self._found.get(value, ANYTHING) if isinstance(value, fx.Node) else ANYTHING

    def size(self) -> Any:
        """How many values lie along the axes ``dim`` of the operand; all of them where there is none."""
        shape = self.arguments["self"].meta["val"].shape
        dims = self.arguments.get("dim")
        axes = range(len(shape)) if dims is None or dims == [] else [dims] if isinstance(dims, int) else dims
        count: Any = 1
        for axis in axes:
            count = count * shape[axis] if shape else count
        return count


def _times(a: float, b: float) -> float:
    return 0.0 if a == 0 or b == 0 else a * b


def _hull(*parts: Interval) -> Interval:
    below = {part.below for part in parts}
    return Interval(
        min(part.low for part in parts), max(part.high for part in parts), below.pop() if len(below) == 1 else None
    )


def _sum(call: _Call, sign: int = 1) -> Interval:
    factor = call.arguments.get("alpha", 1)
    if not isinstance(factor, int | float):
        return ANYTHING
    return _added(call["self"], _product(call["other"], Interval(sign * factor, sign * factor)))


def _added(a: Interval, b: Interval) -> Interval:
    low, high = a.low + b.low, a.high + b.high
    return Interval(low, high)


def _product(a: Interval, b: Interval) -> Interval:
    ends = [_times(x, y) for x in (a.low, a.high) for y in (b.low, b.high)]
    # What is taken or left, by a mask, stays below what it was below, as nought does.
    below = a.below if (b.low, b.high) in ((0, 1), (1, 1)) else b.below if (a.low, a.high) in ((0, 1), (1, 1)) else None
    return Interval(min(ends), max(ends), below)


def _remainder(call: _Call) -> Interval:
    by = call["other"]
    if by.low <= 0:
        return ANYTHING
    own = call["self"]
    if own.low >= 0 and own.high < by.low:
        return own
    integers = not call.node.meta["val"].is_floating_point()
    return Interval(0, by.high - 1 if integers else by.high)


def _quotient(call: _Call) -> Interval:
    own, by, mode = call["self"], call["other"], call.arguments.get("rounding_mode", "floor")
    if by.low <= 0 or mode not in ("floor", "trunc"):
        return ANYTHING
    ends = [
        0.0 if math.isinf(d) and not math.isinf(e) else e / d for e in (own.low, own.high) for d in (by.low, by.high)
    ]
    if any(math.isnan(end) for end in ends):
        return ANYTHING
    low, high = min(ends), max(ends)
    return Interval(_floor(low), _floor(high)) if mode == "floor" else Interval(_cut(low), _cut(high))


def _floor(end: float) -> float:
    return end if math.isinf(end) else math.floor(end)


def _cut(end: float) -> float:
    return end if math.isinf(end) else math.trunc(end)


def _clamped(call: _Call) -> Interval:
    own = call["self"]
    low, high = (call.arguments.get(name) for name in ("min", "max"))
    # The upper bound wins, as in PyTorch.
    if low is not None:
        own = _larger(own, call.of(low))
    return own if high is None else _smaller(own, call.of(high))


def _larger(a: Interval, b: Interval) -> Interval:
    return Interval(max(a.low, b.low), max(a.high, b.high))


def _smaller(a: Interval, b: Interval) -> Interval:
    return Interval(min(a.low, b.low), min(a.high, b.high), a.below or b.below)


def _accumulated(call: _Call) -> Interval:
    own, count = call["self"], call.size()
    if not is_fixed(count):
        return Interval(0 if own.low >= 0 else -math.inf, 0 if own.high <= 0 else math.inf)
    # From one value to all of them; a sum is among those.
    return Interval(min(own.low, _times(own.low, int(count))), max(own.high, _times(own.high, int(count))))


def _place(call: _Call) -> Interval:
    count = call.size()
    return Interval(0, int(count) - 1) if is_fixed(count) else Interval(0, math.inf, str(count))


def _of_part(node: fx.Node, found: Mapping[fx.Node, Interval]) -> Interval:
    """The values, or the places, that a call returns which returns both."""
    source: Any = node.args[0]
    if not isinstance(source.target, OpOverload):
        return ANYTHING
    packet, call = source.target.overloadpacket, _Call(source, found)
    if packet in (aten.max, aten.min, aten.sort, aten.topk, aten.kthvalue, aten.median, aten.cummax, aten.cummin):
        return _place(_Last(source, found)) if node.args[1] == 1 else call["self"]
    return call["self"] if packet in (aten.split, aten.split_with_sizes, aten.chunk, aten.unbind) else ANYTHING


class _Last(_Call):
    """A call along one axis, the last if none is said."""

    def size(self) -> Any:
        return self.arguments["self"].meta["val"].shape[self.arguments.get("dim", -1)]


def _range(call: _Call) -> Interval:
    start, end, step = (call.arguments.get(name, of) for name, of in (("start", 0), ("end", None), ("step", 1)))
    if start != 0 or step != 1:
        return ANYTHING
    size = end.meta["val"] if isinstance(end, fx.Node) else end
    return Interval(0, size - 1) if isinstance(size, int | float) else Interval(0, math.inf, str(size))


def _same(call: _Call) -> Interval:
    return call["self"]


def _converted(call: _Call) -> Interval:
    """Of what becomes an integer, the part before the point, which rounding errors may have moved."""
    own, source = call["self"], call.arguments["self"].meta["val"]
    if call.node.meta["val"].is_floating_point() or not source.is_floating_point():
        return own
    spread = (abs(end) * ROUNDING for end in (own.low, own.high))
    low, high = own.low - next(spread), own.high + next(spread)
    return Interval(_cut(low), _cut(high))


ROUNDING = 1e-3
"""How far a number is taken to be off, relative to it, where it is computed as a float."""


def _rounded(call: _Call) -> Interval:
    own = call["self"]
    return Interval(_floor(own.low), own.high if math.isinf(own.high) else math.ceil(own.high))


def _constant(low: float, high: float) -> Callable[[_Call], Interval]:
    return lambda call: Interval(low, high)


RULES: Mapping[Any, Callable[[_Call], Interval]] = {
    **dict.fromkeys(
        (
            *(aten.clone, aten.contiguous, aten.alias, aten.detach, aten.detach_, aten.lift_fresh_copy, aten.unsqueeze),
            *(aten.squeeze, aten.reshape, aten.view, aten.flatten, aten.expand, aten.expand_as, aten.unflatten),
            *(aten.flip, aten.repeat, aten.roll, aten.permute, aten.transpose, aten.movedim, aten.t, aten.slice),
            *(aten.select, aten.gather, aten.index, aten.index_select, aten.repeat_interleave, aten.narrow),
            *(aten.amax, aten.amin, aten.diagonal, aten.mT, aten.unfold, aten.take_along_dim),
        ),
        _same,
    ),
    **dict.fromkeys((aten.to, aten._to_copy, aten.type_as), _converted),
    **dict.fromkeys((aten.floor, aten.ceil, aten.round, aten.trunc), _rounded),
    aten.add: _sum,
    aten.sub: lambda call: _sum(call, -1),
    aten.rsub: lambda call: _added(call["other"], _product(call["self"], Interval(-1, -1))),
    aten.mul: lambda call: _product(call["self"], call["other"]),
    aten.neg: lambda call: _product(call["self"], Interval(-1, -1)),
    aten.abs: lambda call: _larger(_larger(call["self"], _product(call["self"], Interval(-1, -1))), Interval(0, 0)),
    aten.remainder: _remainder,
    aten.floor_divide: _quotient,
    aten.div: lambda call: _quotient(call) if call.arguments.get("rounding_mode") else ANYTHING,
    **dict.fromkeys((aten.clamp, aten.clamp_min, aten.clamp_max), _clamped),
    aten.maximum: lambda call: _larger(call["self"], call["other"]),
    aten.minimum: lambda call: _smaller(call["self"], call["other"]),
    aten.where: lambda call: _hull(call["self"], call["other"]),
    aten.masked_fill: lambda call: _hull(call["self"], call["value"]),
    **dict.fromkeys((aten.cat, aten.stack), lambda call: _hull(*map(call.of, call.arguments["tensors"]))),
    **dict.fromkeys((aten.cumsum, aten.sum), _accumulated),
    **dict.fromkeys((aten.argmax, aten.argmin), _place),
    aten.argsort: lambda call: _place(_Last(call.node, {})),
    aten.arange: _range,
    **dict.fromkeys((aten.one_hot, aten.sigmoid, aten.softmax), _constant(0, 1)),
    aten.tanh: _constant(-1, 1),
    **dict.fromkeys((aten.zeros, aten.zeros_like, aten.new_zeros), _constant(0, 0)),
    **dict.fromkeys((aten.ones, aten.ones_like, aten.new_ones), _constant(1, 1)),
    **dict.fromkeys((aten.full, aten.full_like, aten.new_full), lambda call: call["fill_value"]),
}
"""What an operator says of what it returns."""
