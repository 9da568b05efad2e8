"""Examples of a model's inputs, from their shapes: noise, ids that the model's tables have rows for, half of a mask.

Ids that are all the same make ties, of which a pooling takes one and a lowering may take another.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torch.overrides import TorchFunctionMode

from fgcompile.artifact.layouts import written_axis
from fgcompile.cli.arguments import DEFAULT_INPUT, InputShape, parse_input
from fgcompile.cli.configured import configured_shapes
from fgcompile.compiler.sources import OnnxModel, input_names, require_read, sizes_of
from fgcompile.errors import InputError

BATCH = 2
"""The samples of an example."""

LARGEST = 2**31
"""More numbers than an example has that fits into a machine."""


def example_inputs(
    model: nn.Module | ExportedProgram, shapes: Sequence[InputShape], layouts: Mapping[str, str] | None = None
) -> tuple[Any, ...]:
    """Seeded noise, for integers ids, or ones where nothing is looked up; a program brings its own example.

    Without shapes those of a model of Transformers are what its configuration says.

    What is named comes last, in a mapping. The batch is where the layout of an input has it.
    """
    if not shapes and isinstance(model, ExportedProgram) and model.example_inputs is not None:
        args, keywords = model.example_inputs
        return (*args, keywords) if keywords else tuple(args)
    generator = torch.Generator().manual_seed(0)
    if isinstance(model, OnnxModel):
        shapes = _of_file(model, shapes, layouts or {})
    shapes = shapes or configured_shapes(model) or [parse_input(DEFAULT_INPUT)]
    sizes = [
        _with_batch(one.sizes, [layouts[name] for name in names if name in layouts] if layouts else [])
        for one, names in zip(shapes, _names(model, shapes), strict=True)
    ]
    values = [_value(size, getattr(torch, one.dtype), generator) for one, size in zip(shapes, sizes, strict=True)]
    front = [value for one, value in zip(shapes, values, strict=True) if one.name is None]
    named = {one.name: value for one, value in zip(shapes, values, strict=True) if one.name is not None}
    if isinstance(model, nn.Module):
        for value, rows in _rows_read(model, front, named, values):
            value.random_(0, rows, generator=generator)
    return (*front, named) if named else tuple(front)


def is_assumed(model: nn.Module | ExportedProgram, shapes: Sequence[InputShape]) -> bool:
    """Whether the size of an example is the default, since neither shapes nor the model say one."""
    own = isinstance(model, OnnxModel) or (isinstance(model, ExportedProgram) and model.example_inputs is not None)
    return not shapes and not own and not configured_shapes(model)


def _value(size: Sequence[int], dtype: torch.dtype, generator: torch.Generator) -> Tensor:
    if math.prod(size) > LARGEST:
        raise InputError(f"an input of {' x '.join(map(str, size))} numbers is too large for an example: give another")
    if dtype.is_floating_point:
        return torch.randn(size, generator=generator).to(dtype)
    if dtype == torch.uint8:  # a picture's bytes
        return torch.randint(256, size, generator=generator).to(dtype)
    if dtype == torch.bool:  # a mask, which may keep or leave out: of all places there would be nothing left
        return (torch.arange(size[-1]) % 2 == 0).expand(*size).clone()
    return torch.ones(size, dtype=dtype)


def _of_file(model: OnnxModel, shapes: Sequence[InputShape], layouts: Mapping[str, str]) -> list[InputShape]:
    """All inputs of a file by name, in its dtypes: their sizes are those given, by name or in order, or the file's."""
    front = [one.sizes for one in shapes if one.name is None]
    named = {one.name: one.sizes for one in shapes if one.name is not None}
    known = [fact.name for fact in model.inputs]
    require_read(model, named)
    if unknown := [name for name in named if name not in known]:
        raise InputError(f"--input {unknown[0]}: the file has no such input, it takes {', '.join(known)}")
    if len(front) > len(known):
        raise InputError(f"--input is given {len(shapes)} times: the file takes {', '.join(known)}")
    found = []
    for index, fact in enumerate(model.inputs):
        axis = written_axis(layouts.get(fact.name), 0 if fact.shape is None else len(fact.shape))
        given = front[index] if index < len(front) else named.get(fact.name)
        dtype = str(fact.dtype).removeprefix("torch.")
        found.append(InputShape(given or sizes_of(fact, axis), dtype, fact.name))
    return found


def _with_batch(sizes: Sequence[int], layouts: Sequence[str]) -> tuple[int, ...]:
    """An example's shape: the sizes of one sample, and the batch among them."""
    axis = written_axis(layouts[0] if layouts else None, 1 + len(sizes))
    return (*sizes[:axis], BATCH, *sizes[axis:])


def _names(model: nn.Module | ExportedProgram, shapes: Sequence[InputShape]) -> list[tuple[str, ...]]:
    """What each input may be called in layouts: by its parameter, and the only one by ``x``."""
    parameters = input_names(model) if isinstance(model, nn.Module) else []
    only = ("x",) if len(shapes) == 1 else ()
    return [
        (one.name,) if one.name is not None else (*parameters[index : index + 1], *only)
        for index, one in enumerate(shapes)
    ]


def _rows_read(
    model: nn.Module, front: Sequence[Tensor], named: Mapping[str, Tensor], values: Sequence[Tensor]
) -> list[tuple[Tensor, int]]:
    """The integers that an embedding reads its rows at, and how many rows there are; of several tables the fewest."""
    integers = [value for value in values if not value.is_floating_point()]
    lookups = _Lookups()
    if integers:
        with contextlib.suppress(Exception), torch.no_grad(), lookups:  # what does not run is said when it is captured
            model(*front, **named)
    return [(value, rows) for value in integers if (rows := lookups.rows.get(_storage(value)))]


class _Lookups(TorchFunctionMode):
    """Notes how many rows the tables have that are read, by where the ids lie in memory, as their reshapes do too."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[int, int] = {}

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if getattr(func, "__name__", "") == "embedding":
            tensors = [value for value in (*args, *(kwargs or {}).values()) if isinstance(value, Tensor)]
            ids = next(value for value in tensors if not value.is_floating_point())
            table = next(value for value in tensors if value.is_floating_point())
            self.rows[_storage(ids)] = min(len(table), self.rows.get(_storage(ids), len(table)))
        return func(*args, **(kwargs or {}))


def _storage(value: Tensor) -> int:
    return value.untyped_storage().data_ptr()
