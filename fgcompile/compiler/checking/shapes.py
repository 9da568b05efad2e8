"""Runs a fused graph node by node, and compares every shape with its symbolic one: what is off names the layer.

A size of the example's that was left in an argument makes an operator fail, or a shape that its formula does not give.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import SymInt, Tensor, fx

from fgcompile.compiler.checking.inputs import picked, samples_of
from fgcompile.compiler.checking.sizes import shapes_of, symbols, values_of
from fgcompile.compiler.ir.fixed_batch import takes_one_sample
from fgcompile.compiler.ir.graphs import ancestors
from fgcompile.compiler.ir.nodes import layer_name
from fgcompile.compiler.ir.programs import FusedProgram
from fgcompile.compiler.ir.rows_in_order import rows_in_order
from fgcompile.compiler.ir.sizes import samples_axis
from fgcompile.compiler.ir.torch_internals import evaluated, pytree
from fgcompile.errors import CaptureError, first_line


def run_at(program: FusedProgram, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The graph's outputs, all of its shapes being those that its symbols give at the sizes of the inputs.

    A graph of one sample is run once for each.

    Raises:
        CaptureError: Names the layer that has a size of the example's left in it, and the sizes at which it shows.
    """
    if not takes_one_sample(program):
        return _run(program, inputs)
    each = [_run(program, picked(program, inputs, [sample])) for sample in range(samples_of(program, inputs))]
    axes = [samples_axis(spec.shape) or 0 for spec in program.outputs]
    return tuple(torch.cat(parts, axis) for axis, *parts in zip(axes, *each, strict=True))


def _run(program: FusedProgram, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    sizes = {
        name: size
        for spec, value in zip(program.inputs, inputs, strict=True)
        for name, size in zip(spec.shape, value.shape, strict=True)
        if isinstance(name, str)
    }
    runner = _Runner(program.graph_module, values_of(symbols(program), sizes), _in_words(sizes))
    with torch.no_grad():
        outputs: tuple[Tensor, ...] = runner.run(*inputs)
    return outputs


def _in_words(sizes: dict[str, int]) -> str:
    return ", ".join(f"{name.rpartition('*')[2]} {size}" for name, size in sizes.items())


class _Runner(fx.Interpreter):
    """Evaluates the graph at sizes that the symbols' ``numbers`` stand for."""

    def __init__(self, graph_module: fx.GraphModule, numbers: dict[Any, int], sizes: str) -> None:
        super().__init__(graph_module)
        self.extra_traceback = False  # it would add lines to the message
        self._numbers, self._sizes = numbers, sizes

    def run_node(self, node: fx.Node) -> Any:
        try:
            value = super().run_node(node)
        except Exception as error:  # whatever an operator raises at sizes that it does not fit
            raise CaptureError(f"{self._fixed(node)} ({first_line(error)}): {ADVICE}") from error
        if node.op == "call_function":
            self._compare(node, value)
        return value

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        return super().call_function(target, rows_in_order(target, args), kwargs)

    def _compare(self, node: fx.Node, value: Any) -> None:
        found = [tuple(leaf.shape) for leaf in pytree.tree_leaves(value) if isinstance(leaf, Tensor)]
        for shape, symbolic in zip(found, shapes_of(node), strict=True):
            expected = tuple(evaluated(size, self._numbers) for size in symbolic)
            if shape != expected:
                raise CaptureError(f"{self._fixed(node)} (shape {shape} instead of {expected}): {ADVICE}")
        if isinstance(node.meta.get("val"), SymInt) and value != evaluated(node.meta["val"], self._numbers):
            raise CaptureError(f"{self._fixed(node)} (a size of {value}): {ADVICE}")

    def _fixed(self, node: fx.Node) -> str:
        return f"'{_layer(node)}' is right at the example's sizes and not at {self._sizes}"


ADVICE = "write sizes as x.shape[…] or -1 instead of numbers, or leave out dynamic_sizes"


def _layer(node: fx.Node) -> str:
    """The layer that a node comes from; of the aggregation's own, the nearest that it reads."""
    order = {other: index for index, other in enumerate(node.graph.nodes)}
    named = [other for other in ancestors([node]) if other.meta.get("nn_module_stack")]
    return layer_name(max(named, key=order.__getitem__, default=node))
