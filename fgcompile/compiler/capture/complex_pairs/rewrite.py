"""The rewrite of a captured graph: all of its complex numbers become pairs, or none does."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx

from fgcompile.compiler.capture.complex_pairs.pair import Calls, Pair
from fgcompile.compiler.capture.complex_pairs.rules import RULES, lack_of
from fgcompile.compiler.ir.graphs import insert_call
from fgcompile.compiler.ir.nodes import layer_name
from fgcompile.compiler.ir.runner import tidy
from fgcompile.compiler.ir.torch_internals import pytree
from fgcompile.errors import UnsupportedOpError

aten = torch.ops.aten


def pair_complex_numbers(graph_module: fx.GraphModule) -> None:
    """Rewrites a graph in place.

    Where an operator on complex numbers has no rule, or an input is complex, the graph stays as it is: its
    full-gradient is exact, and compiling it names what has no rule. An output that is complex is put together again.
    """
    graph = graph_module.graph
    computing = dict.fromkeys(_computing(graph))
    if not computing or _is_complex(*graph.find_nodes(op="placeholder")) or any(map(lack_of, computing)):
        return
    pairs: dict[fx.Node, Pair] = {}
    for node in list(graph.nodes):
        if node.op == "get_attr" and _is_complex(node):
            pairs[node] = _parts(node)
        elif node in computing:
            _replace(node, pairs)
    output = graph.output_node()
    for node in output.all_input_nodes:
        if node in pairs:
            whole = insert_call(output, node, aten.complex.default, pairs[node].real, pairs[node].imag)
            output.replace_input_with(node, whole)
    tidy(graph_module)
    for name, buffer in list(graph_module.named_buffers()):
        if buffer.is_complex():
            delattr(graph_module, name)


def require_real(graph_module: fx.GraphModule) -> None:
    """Passes a graph without complex numbers.

    Raises:
        UnsupportedOpError: Names the first call on them that has no rule, or the input that is complex.
    """
    for node in _computing(graph_module.graph):
        if lack := lack_of(node):
            raise UnsupportedOpError(f"operator '{node.target}' in '{layer_name(node)}' {lack}")
    for node in graph_module.graph.find_nodes(op="placeholder"):
        if _is_complex(node):
            raise UnsupportedOpError(f"input '{node.name}' is complex, as no runtime has it: {_PARTS}")


_PARTS = "let the model take its real and imaginary parts, and put them together by torch.view_as_complex"


def _computing(graph: fx.Graph) -> list[fx.Node]:
    calls = (node for node in graph.nodes if node.op == "call_function")
    return [node for node in calls if _is_complex(node, *node.all_input_nodes)]


def _replace(node: fx.Node, pairs: dict[fx.Node, Pair]) -> None:
    def operand(value: Any) -> Any:
        if isinstance(value, fx.Node):
            return pairs.get(value, value)
        return complex(value) if node.target in _OF_NUMBERS and isinstance(value, int | float) else value

    args, kwargs = (fx.node.map_aggregate(given, operand) for given in (node.args, node.kwargs))
    result = RULES[node.target](Calls(node), *args, **kwargs)  # type: ignore[index,arg-type]
    if isinstance(result, Pair):
        pairs[node] = result
    else:
        node.replace_all_uses_with(result)


_ARITHMETIC = (aten.add, aten.sub, aten.mul, aten.div)
_OF_NUMBERS = {getattr(packet, of) for packet in _ARITHMETIC for of in ("Tensor", "Scalar")}


def _parts(node: fx.Node) -> Pair:
    """The parts of a constant."""
    graph_module: Any = node.graph.owning_module
    value: Tensor = getattr(graph_module, str(node.target)).resolve_conj()
    calls = Calls(node)
    return Pair(*(calls.constant(f"{node.target}_{of}", getattr(value, of).contiguous()) for of in ("real", "imag")))


def _is_complex(*nodes: fx.Node) -> bool:
    leaves = pytree.tree_leaves([node.meta.get("val") for node in nodes])
    return any(isinstance(leaf, Tensor) and leaf.is_complex() for leaf in leaves)
