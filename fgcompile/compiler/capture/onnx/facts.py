"""What an ONNX file says of itself: names, dtypes, shapes and dynamic axes of its inputs."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import onnx_ir as ir
import torch
from torch import Tensor

from fgcompile.errors import InputError, SourceError

EXAMPLES = 2
"""The samples of an example."""

LARGEST = 2**31
"""More numbers than an example has that fits into a machine; a file may declare any."""

LARGEST_ID = 2
"""Of an example's integers, which index tables that have at least that many rows."""

_DTYPES = {
    ir.DataType.FLOAT: torch.float32,
    ir.DataType.DOUBLE: torch.float64,
    ir.DataType.FLOAT16: torch.float16,
    ir.DataType.BFLOAT16: torch.bfloat16,
    ir.DataType.INT64: torch.int64,
    ir.DataType.INT32: torch.int32,
    ir.DataType.INT16: torch.int16,
    ir.DataType.INT8: torch.int8,
    ir.DataType.UINT8: torch.uint8,
    ir.DataType.BOOL: torch.bool,
}


@dataclass(frozen=True)
class InputFact:
    """An input as the file has it.

    Attributes:
        name: The file's.
        dtype: PyTorch's.
        shape: Numbers, and names or None where a size is dynamic; None where the file does not say.
        of_bytes: Whether the file takes bytes there, which are real numbers here.
    """

    name: str
    dtype: torch.dtype
    shape: tuple[int | str | None, ...] | None
    of_bytes: bool = False


def input_fact(value: ir.Value, path: object) -> InputFact:
    """What the file says of one input.

    Raises:
        SourceError: It is no tensor of numbers.
    """
    assert value.name is not None
    # One that may be left out is given; a sequence's dtype is that of its tensors.
    kind_of = value.type.elem_type if isinstance(value.type, ir.OptionalType) else value.type
    if not isinstance(kind_of, ir.TensorType) or value.dtype not in _DTYPES:
        plain = isinstance(kind_of, ir.TensorType) and value.dtype is not None
        kind = f"of type {value.dtype}" if plain else "a sequence or of no known type"
        raise SourceError(f"{path} has an input '{value.name}', {kind}: fgcompile takes tensors of numbers")
    shape = None if value.shape is None else tuple(_size(size) for size in value.shape)
    return InputFact(value.name, _DTYPES[value.dtype], shape)


def _size(size: int | ir.SymbolicDim) -> int | str | None:
    if isinstance(size, int):
        return size if size > 0 else None
    return size.value


def example(fact: InputFact, batch: int = 0) -> Tensor:
    """An example of an input, of two samples, which are on an axis.

    Raises:
        InputError: The file leaves a size behind the batch open.
    """
    generator = torch.Generator().manual_seed(0)
    sizes = sizes_of(fact, batch)
    shape = (*sizes[:batch], EXAMPLES, *sizes[batch:])
    if math.prod(shape) > LARGEST:
        shown = " x ".join(map(str, sizes))
        raise InputError(
            f"the file's input '{fact.name}' has {shown} numbers, too many for an example: give one, --input"
        )
    if fact.of_bytes:
        return torch.randint(256, shape, generator=generator).to(fact.dtype)
    if fact.dtype.is_floating_point:
        return torch.randn(shape, generator=generator).to(fact.dtype)
    return torch.randint(LARGEST_ID, shape, generator=generator).to(fact.dtype)


def sizes_of(fact: InputFact, batch: int) -> tuple[int, ...]:
    """An input's sizes without the batch, which is on an axis.

    Raises:
        InputError: The file leaves one open, or the input has no batch.
    """
    if fact.shape is None:
        raise InputError(f"the file does not say the shape of its input '{fact.name}': give an example, --input")
    if not fact.shape:
        raise InputError(f"the file's input '{fact.name}' is a single number: give its value, --fix {fact.name}=VALUE")
    own = [*fact.shape[:batch], *fact.shape[batch + 1 :]]
    sizes = tuple(size for size in own if isinstance(size, int))
    if len(sizes) < len(own):
        raise InputError(_open_sizes(fact, batch, own))
    return sizes


def _open_sizes(fact: InputFact, batch: int, own: Sequence[int | str | None]) -> str:
    """What is said of sizes that are open; a file whose only open one is not where the batch is may have it there."""
    shown = [str(size or "?") for size in own]
    given = f"{fact.name}={'x'.join(s if s.isdigit() else '64' for s in shown)}"
    message = f"the file leaves sizes of its input '{fact.name}' open ({' x '.join(shown)} without the batch): "
    if fact.shape is None or not isinstance(fact.shape[batch], int) or sum(not isinstance(s, int) for s in own) > 1:
        return f"{message}give numbers, as --input {given}"
    layout = " ".join("c" if isinstance(size, int) else "n" for size in fact.shape)
    sequence = " (a sequence has 'l n c')" if layout == "c n c" else ""
    there = f"--layout {fact.name}='{layout}'{sequence}"
    return f"{message}say that the batch is there, {there}, or give numbers, --input {given}"


def examples_at(
    batch: int, examples: Mapping[str, Tensor], axes: Mapping[str, int], seed: int, of_bytes: Collection[str] = ()
) -> dict[str, Tensor]:
    """Seeded inputs of a batch, shaped as examples are; of integers the examples' own, in another order; any bytes."""
    generator = torch.Generator().manual_seed(seed)
    made = {}
    for name, example in examples.items():
        rows = torch.randint(example.shape[axes[name]], (batch,), generator=generator)
        value = example.index_select(axes[name], rows)
        if name in of_bytes:
            value = torch.randint(256, value.shape, generator=generator).to(value.dtype)
        elif value.is_floating_point():
            value = torch.randn(value.shape, generator=generator).to(value.dtype)
        elif value.dtype != torch.bool:
            value = value.flatten()[torch.randperm(value.numel(), generator=generator)].reshape(value.shape)
        made[name] = value
    return made
