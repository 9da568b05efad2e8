"""ONNX: the weight of a convolution backward is made of that forward, instead of being stored beside it.

The input-gradient of a convolution is one with the channels exchanged and the kernel reversed, or some taps of it
(``lowering.convolution``): ``Transpose`` and ``Slice`` of a constant, which runtimes evaluate when they load. The file
is smaller, by nearly half for a network of convolutions, and no call slower: ``docs/decisions/stored-once.md``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import onnx_ir
from numpy.typing import NDArray

from fgcompile.compiler.ir.runner import as_pass

SMALLEST = 4096
"""Elements below which a second copy costs less than the nodes that would make it."""

_MOST_STRIDE = 4
"""The largest step between taps that is looked for; phases are those of stride 2."""

Array = NDArray[Any]


@dataclass(frozen=True)
class _Origin:
    """How a weight comes of another: its channels exchanged or not, then ``w[…, start::-step, …]`` of the kernel."""

    value: onnx_ir.Value
    exchanged: bool
    starts: tuple[int, ...]
    steps: tuple[int, ...]

    @property
    def reverses(self) -> bool:
        """Whether there is more than one tap to choose from."""
        assert self.value.const_value is not None
        return any(size != 1 for size in self.value.const_value.shape[2:])


@as_pass(requires=("simplify",))
def share_weights(model: onnx_ir.Model) -> bool:
    """Rewrites the graph in place; whether a weight came of another.

    What the prediction reads stays a constant, since it comes first. Weights are initialisers, which they become when
    the graph is simplified.
    """
    graph = model.graph
    known: dict[tuple[int, ...], list[tuple[onnx_ir.Value, Array]]] = defaultdict(list)
    nodes: list[onnx_ir.Node] = []
    for value in _weights(graph):
        assert value.const_value is not None
        array = value.const_value.numpy()
        origin = _origin(array, known)
        if origin is None:
            known[array.shape[:2]].append((value, array))
            continue
        nodes += _derive(graph, value, origin)
    if nodes:
        graph.insert_before(graph[0], nodes)
    return bool(nodes)


def _weights(graph: onnx_ir.Graph) -> Iterator[onnx_ir.Value]:
    """The large constants that convolutions read, in the order of these."""
    seen = set()
    for node in list(graph):
        if node.op_type != "Conv":
            continue
        value = node.inputs[1]
        if value is not None and value.is_initializer() and value not in seen and _elements(value) >= SMALLEST:
            seen.add(value)
            yield value


def _elements(value: onnx_ir.Value) -> int:
    return 0 if value.const_value is None else value.const_value.size


def _origin(array: Array, known: dict[tuple[int, ...], list[tuple[onnx_ir.Value, Array]]]) -> _Origin | None:
    """Where a weight comes from, if its like is known: each element is compared."""
    # Channels exchanged first, as an ordinary convolution's gradient has them; a depthwise one keeps them. Kernels of
    # all slices are tried, but a first element that differs rules nearly all of them out at once.
    for exchanged in (True, False):
        first, second = array.shape[:2]
        for value, other in known[(second, first) if exchanged else (first, second)]:
            if other.ndim != array.ndim or other.dtype != array.dtype:
                continue
            given = other.swapaxes(0, 1) if exchanged else other
            for starts, steps in _slices(other.shape[2:], array.shape[2:]):
                kernel = tuple(slice(start, None, -step) for start, step in zip(starts, steps, strict=True))
                part = given[:, :, *kernel]
                if part.flat[0] == array.flat[0] and np.array_equal(part, array):
                    return _Origin(value, exchanged, starts, steps)
    return None


def _slices(kernel: tuple[int, ...], wanted: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """The starts and steps of all reversed slices of a kernel that have a size."""
    axes = [
        [
            (start, step)
            for step in range(1, _MOST_STRIDE + 1)
            for start in reversed(range(size))
            if start // step + 1 == length
        ]
        for size, length in zip(kernel, wanted, strict=True)
    ]
    for choice in product(*axes):
        yield tuple(start for start, _ in choice), tuple(step for _, step in choice)


def _derive(graph: onnx_ir.Graph, value: onnx_ir.Value, origin: _Origin) -> list[onnx_ir.Node]:
    """The nodes that make a weight, which is no constant any more."""
    name, current = str(value.name), origin.value
    nodes = []
    rank = 2 + len(origin.starts)
    if origin.exchanged:
        nodes.append(onnx_ir.node("Transpose", [current], {"perm": [1, 0, *range(2, rank)]}))
        current = nodes[-1].outputs[0]
    if origin.reverses:
        ends = [-(2**31)] * len(origin.starts)  # in front of the first tap
        steps = [-step for step in origin.steps]
        numbers = [_constant(graph, row) for row in (origin.starts, ends, range(2, rank), steps)]
        nodes.append(onnx_ir.node("Slice", [current, *numbers]))
        current = nodes[-1].outputs[0]
    del graph.initializers[name]
    for node in nodes:
        node.outputs[0].name = name if node is nodes[-1] else f"{name}.exchanged"
    onnx_ir.convenience.replace_all_uses_with(value, current)
    return nodes


def _constant(graph: onnx_ir.Graph, numbers: Any) -> onnx_ir.Value:
    """Integers as a constant of the graph, which equal ones share."""
    row = [int(number) for number in numbers]
    name = "taps" + "".join(f"_{number}" for number in row).replace("-", "m")
    if name not in graph.initializers:
        tensor = onnx_ir.tensor(np.array(row, dtype=np.int64), name=name)
        graph.register_initializer(onnx_ir.Value(name=name, const_value=tensor))
    return graph.initializers[name]
