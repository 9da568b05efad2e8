"""How what a node is given may follow the batch where a file has its own in it: one change of one or more inputs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fgcompile.compiler.capture.onnx.places import Columns, Count
from fgcompile.compiler.capture.onnx.values import Value, as_tensor

SHAPED = {"Reshape": 1, "Expand": 1, "Resize": 3, "ConstantOfShape": 0, "Tile": 1, "AffineGrid": 1, "Slice": 2}
"""Operators that an input tells a shape, or ends on axes, and which input that is."""

PLACED = {"GatherND": 1, "ScatterND": 1}
"""Operators that an input tells places of several axes, and which input that is."""

_AXES = 2
"""Constants have the batch on the first axis, or behind the directions of a recurrent layer."""


@dataclass(frozen=True)
class Scaled:
    """One entry of a shape, a multiple of the file's batch, becomes that of the samples there are."""

    index: int
    entry: int
    batch: int

    def __call__(self, values: Sequence[Value], samples: Any) -> list[Value]:
        shape = np.array(values[self.index], dtype=object)
        shape[self.entry] = shape[self.entry] // self.batch * _number(samples)
        return [shape if at == self.index else value for at, value in enumerate(values)]


@dataclass(frozen=True)
class Repeated:
    """Constants, whose slices along an axis are alike, have one for each sample."""

    indices: tuple[int, ...]
    axis: int

    def __call__(self, values: Sequence[Value], samples: Any) -> list[Value]:
        return [self._repeat(value, samples) if at in self.indices else value for at, value in enumerate(values)]

    def _repeat(self, value: Value, samples: Any) -> Tensor:
        first = as_tensor(value).narrow(self.axis, 0, 1)
        sizes = [-1] * first.ndim
        sizes[self.axis] = _number(samples)
        return first.expand(sizes)


def _number(samples: Any) -> Any:
    return samples.item() if isinstance(samples, np.ndarray) else samples


@dataclass(frozen=True)
class Numbered:
    """Places ``(b, …, k)`` whose first column is the number of the sample have those of all samples there are."""

    index: int

    def __call__(self, values: Sequence[Value], samples: Any) -> list[Value]:
        first = as_tensor(values[self.index])[:1]
        shape = (_number(samples), *first.shape[1:-1])
        places = Columns((Count(shape), *first[..., 1:].unbind(-1)))
        return [places if at == self.index else value for at, value in enumerate(values)]


Change = Scaled | Repeated | Numbered


def possible_changes(operator: str, values: Sequence[Value], settled: Collection[int], size: int) -> Iterator[Change]:
    """What may be changed of a node's inputs.

    Args:
        operator: The node's.
        values: Its inputs at the file's batch.
        settled: Which of them are the same for all samples.
        size: The file's batch.
    """
    index = SHAPED.get(operator)
    shape = values[index] if index is not None and index < len(values) else None
    if index is not None and isinstance(shape, np.ndarray):
        # First what is the batch's size itself, then what it may be folded into.
        scaled = [entry for entry, number in enumerate(shape) if number > 0 and number % size == 0]
        yield from (Scaled(index, entry, size) for entry in sorted(scaled, key=lambda entry: shape[entry] != size))
    index = PLACED.get(operator)
    if index is not None and index in settled and _is_numbered(as_tensor(values[index]), size):
        yield Numbered(index)
    arrays = {at: value for at, value in enumerate(values) if isinstance(value, Tensor | np.ndarray)}
    for axis in range(_AXES):
        fitting = tuple(at for at in arrays if at in settled and _is_alike(as_tensor(arrays[at]), axis, size))
        if fitting:
            yield Repeated(fitting, axis)


def _is_numbered(places: Tensor, size: int) -> bool:
    """Whether places of several axes have a row for each sample, whose first column is its number, the others alike."""
    if places.ndim < 2 or places.shape[0] != size or places.shape[-1] < 2:
        return False
    numbers = torch.arange(size).reshape(-1, *[1] * (places.ndim - 2))
    return bool((places[..., 0] == numbers).all()) and _is_alike(places[..., 1:], 0, size)


def _is_alike(value: Tensor, axis: int, size: int) -> bool:
    """Whether a constant has a slice for each sample of the file's batch, all of them alike."""
    if value.ndim <= axis or value.shape[axis] != size:
        return False
    return bool((value == value.narrow(axis, 0, 1)).all())
