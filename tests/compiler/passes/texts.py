"""A pass shown as text: the graph before and after, the pass run by the runner, and what its nodes say checked."""

from __future__ import annotations

import re
from textwrap import dedent
from typing import Any

import torch
from torch import fx
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils import _pytree as pytree

from fgcompile.compiler.ir.graph_text import graph_text
from fgcompile.compiler.ir.graphs import copy_graph, propagate_shapes
from fgcompile.compiler.ir.runner import GraphPass, Pass, Program, run_passes, run_program_passes


def traced(function: object, *inputs: torch.Tensor) -> fx.GraphModule:
    return make_fx(function, tracing_mode="fake", _allow_non_fake_inputs=True)(*inputs)


def operators(graph_module: fx.GraphModule) -> list[str]:
    return [str(n.target).split(".")[1] for n in graph_module.graph.nodes if n.op == "call_function"]


def run_alone(each: GraphPass, graph_module: fx.GraphModule) -> bool:
    """Runs one pass on a graph that needs none of those it requires."""
    return run_passes(graph_module, [each], each.requires)


def assert_shows(graph: fx.Graph, text: str) -> None:
    """The graph is the text, but that its symbolic sizes are called ``s0``, ``s1`` … as they appear."""
    shown = graph_text(graph)
    names = {symbol: f"s{number}" for number, symbol in enumerate(dict.fromkeys(re.findall(r"\bs\d+\b", shown)))}
    shown = re.sub(r"\bs\d+\b", lambda found: names[found.group()], shown)
    assert shown == dedent(text).lstrip("\n"), shown


def assert_rewrites(each: GraphPass, graph_module: fx.GraphModule, before: str, after: str) -> None:
    """The graph is the one text before the pass and the other behind it, and its values are of the shapes it says."""
    assert_shows(graph_module.graph, before)
    assert run_alone(each, graph_module)
    assert_shows(graph_module.graph, after)
    assert_truthful(graph_module)


def assert_rewrites_program(each: Pass[Any, Any], program: Program, before: str, after: str) -> None:
    """The same for a pass over a program, which stays as it is; a second time there is nothing left to do."""
    rewritten = run_program_passes(program, [each], each.requires)
    assert_shows(program.graph_module.graph, before)
    assert_shows(rewritten.graph_module.graph, after)
    assert_truthful(rewritten.graph_module)
    assert run_program_passes(rewritten, [each], each.requires) is rewritten


def assert_truthful(graph_module: fx.GraphModule) -> None:
    """Every value that a node says it has is of the shape and dtype that its operator makes."""
    computed = copy_graph(graph_module)
    propagate_shapes(computed)
    for said, made in zip(graph_module.graph.nodes, computed.graph.nodes, strict=True):
        if "val" in said.meta:
            pairs = zip(*(pytree.tree_leaves(node.meta["val"]) for node in (said, made)), strict=True)
            kinds = [[(v.dtype, *map(str, v.shape)) for v in pair if isinstance(v, torch.Tensor)] for pair in pairs]
            assert all(kind[0] == kind[1] for kind in kinds if kind), said.name
