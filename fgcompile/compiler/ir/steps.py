"""Operators that compute steps: what they return is constant between jumps, so that their derivative is 0 everywhere.

    x ─conv─ y ─round─ f      ∂f/∂x = 0 at every x: no explanation, though autograd gives one, of zeros
    x ─conv─ y ─round─ + ─ f  the sum has a path beside the steps, and is explained along it
             └─────────┘

A straight-through estimator, ``y + (y.round() − y).detach()``, is the second.
"""

from __future__ import annotations

import torch
from torch import fx

from fgcompile.compiler.ir.activity import active_nodes
from fgcompile.compiler.ir.nodes import bind, layer_name, user_line
from fgcompile.compiler.ir.programs import CapturedProgram
from fgcompile.compiler.ir.samples import explained_nodes, nodes_on_the_way
from fgcompile.compiler.ir.torch_internals import OpOverload
from fgcompile.errors import ScoreError

aten = torch.ops.aten

STEPS: frozenset[OpOverload] = frozenset(
    {
        aten.sign.default,
        aten.sgn.default,
        aten.round.default,
        aten.round.decimals,
        aten.floor.default,
        aten.ceil.default,
        aten.trunc.default,
        aten.heaviside.default,
        aten.floor_divide.default,
    }
)
"""Of ``sgn`` that is so of real numbers alone; complex ones carry no gradient here."""

ROUNDED = (aten.div.Tensor_mode, aten.div.Scalar_mode)
"""Quotients that are rounded where ``rounding_mode`` says so."""

SHOWN = 3


def require_slope(program: CapturedProgram, output: str | int | None) -> None:
    """Refuses a program in which every path from an input to what is explained goes through steps.

    Raises:
        ScoreError: Names the operators, and where they are.
    """
    way = nodes_on_the_way(program, output)
    graph = program.graph_module.graph
    active, sloped, steps = active_nodes(graph), set[fx.Node](), list[fx.Node]()
    for node in graph.nodes:
        sources = active.intersection(node.all_input_nodes)
        if node not in way or str(node.target) in program.score_inputs:
            continue
        if not sources:  # an input, or what a table has for one
            sloped.add(node)
        elif sloped.intersection(sources):
            if _is_step(node):
                steps.append(node)
            else:
                sloped.add(node)
    if steps and not sloped.intersection(explained_nodes(program, output)):
        raise ScoreError(_refusal(steps))


def _is_step(node: fx.Node) -> bool:
    return node.target in STEPS or (node.target in ROUNDED and bind(node)["rounding_mode"] is not None)


def _refusal(steps: list[fx.Node]) -> str:
    named = list(dict.fromkeys(map(_named, steps)))
    shown = ", ".join(named[:SHOWN]) + (", …" if len(named) > SHOWN else "")
    those = "it takes" if len(named) == 1 else "they take"
    return (
        f"the score depends on the input through {shown} alone, whose derivative is 0 everywhere, so that no gradient "
        f"reaches the input: explain what {those} (return that from the model, or name it, output=), or "
        "give the gradient a way past, x + (x.round() - x).detach()"
    )


def _named(node: fx.Node) -> str:
    """``round in 'head.round' at net.py:12``."""
    called = str(node.target).split(".")[1]
    layer, line = layer_name(node), user_line(node)
    within = "" if layer == called else f" in '{layer}'"
    rounded = " with a rounding_mode" if node.target in ROUNDED else ""
    return f"{called}{rounded}{within}" + ("" if line is None else f" at {line}")
