"""Shapes of a graph's values: fake tensors on every node, and their static description."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch._dispatch.python import enable_python_dispatcher
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode

from fgcompile.program import Shape


class _Propagator(fx.Interpreter):
    """Evaluates a graph over fake tensors and leaves each node's value in ``meta["val"]``."""

    def __init__(self, graph_module: fx.GraphModule, mode: FakeTensorMode) -> None:
        super().__init__(graph_module)
        self.mode = mode

    def run_node(self, node: fx.Node) -> Any:
        value = super().run_node(node)
        if node.op != "output":
            node.meta["val"] = value
        return value

    def get_attr(self, target: Any, args: Any, kwargs: Any) -> Any:
        return fake(super().get_attr(target, args, kwargs), self.mode)


def propagate_shapes(graph_module: fx.GraphModule) -> None:
    """Recomputes ``meta["val"]`` of every node from those of the placeholders."""
    values = [node.meta["val"] for node in graph_module.graph.find_nodes(op="placeholder")]
    mode = fake_mode(graph_module)
    # Without the Python dispatcher, some operators in C++ read a symbolic size as a number and so fix it.
    with mode, torch.no_grad(), enable_python_dispatcher():
        _Propagator(graph_module, mode).run(*values)


def copy_graph(graph_module: fx.GraphModule) -> fx.GraphModule:
    """A copy to rewrite: the graph is new, the parameters and buffers are shared."""
    return fx.GraphModule(graph_module, copy.deepcopy(graph_module.graph))


def fake_mode(graph_module: fx.GraphModule) -> FakeTensorMode:
    """The fake mode, with its symbolic dimensions, that the graph's values live in."""
    for node in graph_module.graph.find_nodes(op="placeholder"):
        value = node.meta.get("val")
        if isinstance(value, FakeTensor):
            return value.fake_mode
    raise AssertionError("a captured graph has at least one tensor input")


def fake(tensor: Tensor, mode: FakeTensorMode) -> Tensor:
    """A fake of a constant: without ``static_shapes`` its sizes would become symbols that equal the batch size."""
    return mode.from_tensor(tensor.detach(), static_shapes=True)


def describe(value: Tensor, names: dict[str, str]) -> Shape:
    """The shape with symbolic dimensions by name, e.g. ``("batch", 64, 56, 56)`` or ``("12*batch", 197, 64)``.

    Args:
        value: A fake tensor.
        names: Maps a symbol of the fake mode, e.g. ``"s77"``, to its name, e.g. ``"batch"``.
    """
    return tuple(size if isinstance(size, int) else _dimension(size, names) for size in value.shape)


SPACE = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}
"""The names of dynamic spatial sizes, by their number."""


def dimension_names(inputs: Sequence[Tensor]) -> dict[str, str]:
    """The names of the inputs' symbolic sizes: the batch, and those of space where they are dynamic."""
    names = {str(inputs[0].shape[0]): "batch"}
    for value in inputs:
        space = SPACE.get(value.ndim - 2, ())
        for size, name in zip(value.shape[2:], space, strict=False):
            if not isinstance(size, int):
                names.setdefault(str(size), name)
    return names


def _dimension(size: torch.SymInt, names: dict[str, str]) -> str:
    factor, symbol = size.node.expr.as_coeff_Mul()
    name = names.get(str(symbol), str(symbol))
    return name if factor == 1 else f"{factor}*{name}"


def batch_axis(shape: Shape) -> tuple[int, int]:
    """The axis that runs along the batch, and how many entries of it belong to one sample, batch-major.

    ``("batch", 64, 7, 7)`` gives ``(0, 1)``, ``(197, "batch", 768)`` gives ``(1, 1)``, ``("12*batch", 197, 64)``
    gives ``(0, 12)``; ``(-1, 0)`` where no axis does.
    """
    for axis, size in enumerate(shape):
        if isinstance(size, str) and size.endswith("batch"):
            return axis, int(size.removesuffix("batch").removesuffix("*") or 1)
    return -1, 0


def is_differentiable(value: Any) -> bool:
    """Whether a node's value (or any of its outputs) can carry a gradient."""
    if isinstance(value, tuple | list):
        return any(is_differentiable(item) for item in value)
    return isinstance(value, Tensor) and value.is_floating_point()
