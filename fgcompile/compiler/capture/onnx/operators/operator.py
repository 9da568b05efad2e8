"""One row of the table: how PyTorch computes what an ONNX operator is defined to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Operator:
    """What is known of one ONNX operator.

    Attributes:
        compute: Takes the operator's inputs in ONNX's order, tensors or None for those left out, and its attributes as
            keywords, whose defaults are ONNX's; returns its output, or a tuple of its first outputs. A keyword
            ``outputs`` gets the number of outputs that the node has. It is also what computes known numbers, as long
            as there is no symbol among them.
        numbers: Names of those of its inputs that are numbers when a graph is built, not tensors: shapes, axes, pads.
            ``compute`` gets them as lists of integers and symbols, or a number where they have no axis.
        numbers_if_known: Names of inputs that are one number where it is known, and else tensors: bounds, exponents.
        on_numbers: The same where every input is known and some are symbols: takes and returns arrays
            (``values.Known``), or ``NotImplemented`` where tensors are needed. None where it is not
            computed from sizes.
        either: Names of those of its inputs that ``compute`` gets as they are: an array where they are known, a tensor,
            or a sequence as a list.
        levels: Whether it computes with numbers of 8 bits (``levels.Levels``).
        prepare: By the names of inputs, which arrays a constant becomes when a graph is made: ``compute`` gets them as
            a list of tensors in its place.
        note: What a reader of the table should know: what is left out, or how it is done.
    """

    compute: Callable[..., Any]
    numbers: tuple[str, ...] = ()
    on_numbers: Callable[..., Any] | None = None
    numbers_if_known: tuple[str, ...] = ()
    either: tuple[str, ...] = ()
    levels: bool = False
    prepare: Mapping[str, Callable[[Any], list[Any]]] = field(default_factory=dict)
    note: str = ""
