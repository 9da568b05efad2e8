"""Sequences of tensors, which are lists, and values that may be left out, which are None."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.compiler.capture.onnx.operators.parts import split
from fgcompile.compiler.capture.onnx.values import Known, as_tensor, known


def construct(*parts: Any) -> list[Any]:
    return list(parts)


def empty(*, dtype: int = 1) -> list[Any]:
    return []


def at(sequence: list[Any], position: Any) -> Any:
    return sequence[position]


def insert(sequence: list[Any], x: Any, position: Any = None) -> list[Any]:
    place = len(sequence) if position is None else position
    return [*sequence[:place], x, *sequence[place:]]


def erase(sequence: list[Any], position: Any = None) -> list[Any]:
    place = len(sequence) - 1 if position is None else position % len(sequence)
    return [*sequence[:place], *sequence[place + 1 :]]


def length(sequence: list[Any]) -> Known:
    return known(len(sequence))


def split_to_sequence(
    x: Tensor, split_: Sequence[int] | int | None = None, *, axis: int = 0, keepdims: int = 1
) -> list[Any]:
    """Parts of those sizes, all of one size but the last, or single ones, whose axis goes with ``keepdims=0``."""
    if split_ is None:
        parts = [x.narrow(axis, index, 1) for index in range(x.shape[axis])]
        return parts if keepdims else [part.squeeze(axis) for part in parts]
    if isinstance(split_, int):
        return list(torch.split(x, split_, axis))
    return list(split(x, split_, axis=axis, outputs=len(split_)))


def concat_from(sequence: list[Any], *, axis: int, new_axis: int = 0) -> Tensor:
    tensors = [as_tensor(part) for part in sequence]
    return torch.stack(tensors, axis) if new_axis else torch.cat(tensors, axis)


def has_element(x: Any = None) -> Known:
    return known(x is not None)


def same(x: Any = None, *, type: Any = None) -> Any:
    return x


SEQUENCES: dict[str, Operator] = {
    "SequenceConstruct": Operator(construct),
    "SequenceEmpty": Operator(empty),
    "SequenceAt": Operator(at, ("position",), either=("sequence",)),
    "SequenceInsert": Operator(insert, ("position",), either=("sequence",)),
    "SequenceErase": Operator(erase, ("position",), either=("sequence",)),
    "SequenceLength": Operator(length, either=("sequence",)),
    "SplitToSequence": Operator(split_to_sequence, ("split_",)),
    "ConcatFromSequence": Operator(concat_from, either=("sequence",)),
    "Optional": Operator(same, either=("x",)),
    "OptionalGetElement": Operator(same, either=("x",)),
    "OptionalHasElement": Operator(has_element, either=("x",)),
}
