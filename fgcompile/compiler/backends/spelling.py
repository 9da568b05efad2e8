"""Operators that the ONNX exporter has no translation for, in terms of those that it has.

    rsub(x, s)                →  s − x
    squeeze(x, (i, j, …))     →  squeeze(squeeze(x, j), i) …
    numel(x)                  →  the product of its sizes
    var(x, axes)              →  mean((x − mean(x))²) n / (n − 1), by its own correction
    mul(x, 2 / (L − 1))       →  of two tensors, where L is a dynamic size
    −L // k                   →  (−L − (−L % k)) // k

The exporter would find these itself, but for that it decomposes, and so traces, the whole graph once more:
``docs/decisions/onnx-export.md``.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor, fx

from fgcompile.compiler.ir.graphs import insert_call
from fgcompile.compiler.ir.runner import as_pass
from fgcompile.compiler.ir.sizes import hint
from fgcompile.compiler.ir.torch_internals import OpOverload, evaluated, expression

aten = torch.ops.aten


@as_pass()
def spell_out(graph_module: fx.GraphModule) -> bool:
    """Rewrites the graph in place; whether one was rewritten. ``meta["val"]`` of every node is kept up."""
    graph, changed = graph_module.graph, False
    for target, spelling in SPELLINGS.items():
        for node in graph.find_nodes(op="call_function", target=target):
            with graph.inserting_before(node):
                result = spelling(graph, node)
            if result is not None:
                node.replace_all_uses_with(result)
                graph.erase_node(node)
                changed = True
    return changed


def _difference(graph: fx.Graph, node: fx.Node) -> fx.Node:
    value, number, *factor = node.args  # rsub takes the factor of ``x`` by position, sub by name
    result = graph.call_function(aten.sub.Tensor, (number, value), {"alpha": factor[0]} if factor else {})
    result.meta = dict(node.meta)
    return result


def _squeezed(graph: fx.Graph, node: fx.Node) -> fx.Node:
    result, axes = node.args
    assert isinstance(result, fx.Node)
    value: Any = result.meta["val"]
    positions: Any = axes
    for axis in sorted((axis % value.ndim for axis in positions), reverse=True):
        value = value.squeeze(axis)
        result = graph.call_function(aten.squeeze.dim, (result, axis))
        result.meta = {"val": value}
    return result


def _product_of_sizes(graph: fx.Graph, node: fx.Node) -> fx.Node:
    (tensor,) = node.args
    assert isinstance(tensor, fx.Node)
    result = _product(graph, tensor, range(tensor.meta["val"].ndim))
    assert isinstance(result, fx.Node)
    return result


def _product(graph: fx.Graph, tensor: fx.Node, axes: Iterable[int]) -> Any:
    """The product of a tensor's sizes along some axes, a number where these are."""
    sizes = [(axis, tensor.meta["val"].shape[axis]) for axis in axes]
    total: Any = math.prod(size for _, size in sizes if isinstance(size, int))
    result: Any = total
    for axis, size in sizes:
        if not isinstance(size, int):
            factor = graph.call_function(aten.sym_size.int, (tensor, axis))
            factor.meta = {"val": size}
            result, total = graph.call_function(operator.mul, (result, factor)), total * size
            result.meta = {"val": total}
    return result


def _variance(graph: fx.Graph, node: fx.Node) -> fx.Node:
    """The mean of squares, scaled where the variance is corrected; or their sum, divided by a count that is dynamic.

    Without axes it is over all of them, and without a correction by one.
    """
    x = node.args[0]
    assert isinstance(x, fx.Node)
    value: Tensor = x.meta["val"]
    given: Any = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
    axes = list(given or range(value.ndim))
    given = node.kwargs.get("correction")
    correction = 1 if given is None else given
    count = _product(graph, x, axes)
    keep = bool(node.kwargs.get("keepdim", False))
    call = partial(insert_call, node, node)
    mean = call(aten.mean.dim, x, axes, True)
    difference = call(aten.sub.Tensor, x, mean)
    square = call(aten.mul.Tensor, difference, difference)
    if isinstance(count, fx.Node) and correction != 0:
        number = graph.call_function(torch.sym_float, (count,))
        number.meta = {"val": torch.sym_float(count.meta["val"])}  # type: ignore[no-untyped-call]
        divisor = graph.call_function(operator.sub, (number, float(correction)))
        divisor.meta = {"val": number.meta["val"] - correction}
        return call(aten.div.Tensor, call(aten.sum.dim_IntList, square, axes, keep), divisor)
    result = call(aten.mean.dim, square, axes, keep)
    return result if correction == 0 else call(aten.mul.Tensor, result, count / (count - correction))


def _with_size(operator_of_tensors: OpOverload) -> Callable[[fx.Graph, fx.Node], fx.Node | None]:
    """By a number that is computed from dynamic sizes, which the exporter takes for one of tensors alone."""

    def spell(graph: fx.Graph, node: fx.Node) -> fx.Node | None:
        if not any(isinstance(operand, fx.Node) for operand in node.args[1:]):
            return None
        result = graph.call_function(operator_of_tensors, node.args, node.kwargs)
        result.meta = dict(node.meta)
        return result

    return spell


FAR = 4096
"""A size beside the example's at which it is seen whether a difference of sizes is negative."""


def _floor(graph: fx.Graph, node: fx.Node) -> fx.Node | None:
    """``−(−L // k)``, as one rounds up: division in ONNX rounds towards zero, and its remainder is that of Python."""
    dividend, divisor = node.args
    size: Any = dividend.meta["val"] if isinstance(dividend, fx.Node) else dividend
    if not isinstance(size, torch.SymInt) or not isinstance(divisor, int) or not _may_be_negative(size):
        return None
    remainder = graph.call_function(operator.mod, (dividend, divisor))
    remainder.meta = {"val": size % divisor}
    multiple = graph.call_function(operator.sub, (dividend, remainder))
    multiple.meta = {"val": size - size % divisor}
    result = graph.call_function(operator.floordiv, (multiple, divisor))
    result.meta = dict(node.meta)
    return result


def _may_be_negative(size: torch.SymInt) -> bool:
    """Whether a size that is computed is negative at the example's sizes, or at large ones."""
    return hint(size) < 0 or evaluated(size, dict.fromkeys(expression(size).free_symbols, FAR)) < 0


SPELLINGS: dict[Callable[..., Any], Callable[[fx.Graph, fx.Node], fx.Node | None]] = {
    aten.rsub.Scalar: _difference,
    aten.squeeze.dims: _squeezed,
    aten.sym_numel.default: _product_of_sizes,
    aten.var.correction: _variance,
    operator.floordiv: _floor,
    aten.add.Scalar: _with_size(aten.add.Tensor),
    aten.sub.Scalar: _with_size(aten.sub.Tensor),
    aten.mul.Scalar: _with_size(aten.mul.Tensor),
    aten.div.Scalar: _with_size(aten.div.Tensor),
}
"""Each operator's rewrite: inserts nodes, and returns the one that takes its place; None where the exporter has one."""
