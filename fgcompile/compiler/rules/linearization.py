"""Rewrites a graph so that its gradient is that of a locally linear model, by ``detach`` marks; its values stay.

What counts as a constant says a rule set: a table with a row for each kind of operator, and which activations are
weights. What is in no row keeps its true gradient, and with it its bias.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Mapping
from typing import Any

from torch import Tensor, fx

from fgcompile.compiler.ir.activity import active_nodes, is_active
from fgcompile.compiler.ir.graphs import copy_graph
from fgcompile.compiler.ir.nodes import call_of
from fgcompile.compiler.ir.programs import CapturedProgram
from fgcompile.compiler.rules.rewriting import Rewritable, Rewrite, inline
from fgcompile.compiler.rules.weights import Weighing, weight_nodes


def linearized(captured: CapturedProgram, table: Mapping[Any, Rewrite], weighing: Weighing) -> CapturedProgram:
    """The program with the gradient of the locally linear model; its values stay, up to rounding.

    The graph is walked from its results backwards, and only what a gradient still reaches is rewritten: queries and
    keys behind detached attention weights stay as they are. The captured program is left as it is.

    Args:
        captured: The program.
        table: The rule set's rows, by operator.
        weighing: What makes weights of activations.
    """
    graph_module = copy_graph(captured.graph_module)
    graph, changed = graph_module.graph, False
    active = active_nodes(graph)
    weights = weight_nodes(graph, active, weighing)
    reached = set(graph.output_node().all_input_nodes)
    pending = list(graph.nodes)
    # Backwards, so that ``reached`` is complete when a node's turn comes: a node of which all users were rewritten to
    # hold it constant is not reached any more. What is written for a node comes next, before what precedes it.
    while pending:
        node = pending.pop()
        if node not in active or node not in reached:
            continue
        rewrite = _rewrite_of(node, table)
        call = call_of(node)
        equation = None if rewrite is None else rewrite(Rewritable(call, active, weights))
        if equation is None:
            reached.update(node.all_input_nodes)
            continue
        replacement, written = inline(equation, call, node)
        node.replace_all_uses_with(replacement)
        reached.add(replacement)
        for step in written:
            if is_active(step, active):
                active.add(step)
        pending += written  # a product within an equation has a row of its own
        graph.erase_node(node)
        changed = True
    return dataclasses.replace(captured, graph_module=graph_module) if changed else captured


def _rewrite_of(node: fx.Node, table: Mapping[Any, Rewrite]) -> Rewrite | None:
    """The row for a node; of an operator with several outputs the first is rewritten, where it is picked."""
    picks_another = node.target is operator.getitem and node.args[1] != 0
    return table.get(call_of(node).target) if isinstance(node.meta["val"], Tensor) and not picks_another else None
