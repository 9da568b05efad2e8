"""What is written on the nodes: the form that a lowering took and why, what is aggregation, what is linear."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from torch import fx
from torch.fx.traceback import annotate

from fgcompile.compiler.ir.nodes import layer_name

_KEY = "fgcompile_choice"
_AGGREGATION = "fgcompile_aggregation"
_LINEAR = "fgcompile_linear"
_WORD = "fgcompile_word"


@dataclass(frozen=True)
class Choice:
    """A form of the lowered graph.

    Attributes:
        operator: What was lowered, in words.
        form: What it became.
        reason: Why that form and no other.
    """

    operator: str
    form: str
    reason: str


def chosen(operator: str, form: str, reason: str) -> AbstractContextManager[None]:
    """Marks the operators that are traced while it is open as made by a choice."""
    return annotate({_KEY: Choice(operator, form, reason)})


def read_choices(graph_module: fx.GraphModule) -> dict[Choice, list[str]]:
    """Every choice that the graph still bears, with the layers it was made for, in the order of the graph."""
    found: dict[Choice, dict[str, None]] = {}
    for node in graph_module.graph.nodes:
        choice = (node.meta.get("custom") or {}).get(_KEY)
        if isinstance(choice, Choice):
            found.setdefault(choice, {})[layer_name(node)] = None
    return {choice: list(layers) for choice, layers in found.items()}


def aggregation() -> AbstractContextManager[None]:
    """Marks the operators that are traced while it is open as aggregation of terms, not part of the network."""
    return annotate({_AGGREGATION: True})


def is_aggregation(node: fx.Node) -> bool:
    """Whether a node was traced as aggregation."""
    return bool((node.meta.get("custom") or {}).get(_AGGREGATION))


def marked(word: str) -> AbstractContextManager[None]:
    """Marks the operators that are traced while it is open by a word, for a pass to find."""
    return annotate({_WORD: word})


def is_marked(node: fx.Node, *words: str) -> bool:
    """Whether a node was traced under one of some words."""
    return (node.meta.get("custom") or {}).get(_WORD) in words


def mark_linear(node: fx.Node) -> None:
    """Marks a node as linear in all that carries a gradient, whatever its operator is of other operands: no bias."""
    node.meta["custom"] = {**(node.meta.get("custom") or {}), _LINEAR: True}


def is_linear(node: fx.Node) -> bool:
    """Whether a node was marked as linear."""
    return bool((node.meta.get("custom") or {}).get(_LINEAR))
