"""The inputs of the checks: seeded noise at the example's sizes and at larger ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from fgcompile.compiler.ir.programs import FusedProgram
from fgcompile.compiler.ir.sizes import BATCH, repeated, size_factor

CHECK_CLASSES = (0, -1)
"""The classes that the checks explain, and so their batch size: not the one that back ends trace with."""


CHECK_SEED = 0


def make_inputs(program: FusedProgram, examples: Sequence[Tensor], larger: bool = False) -> list[Tensor]:
    """Seeded noise for the checks; inputs that are not numbers of an image or signal are the example's.

    It is positive where the example is nowhere negative: the model may take its logarithm.

    Args:
        program: The fused program.
        examples: The inputs that the model was compiled with.
        larger: Whether dynamic sizes of space are other ones than the example's, each in its own way.
    """
    generator = torch.Generator().manual_seed(CHECK_SEED)
    sizes = _check_sizes(program, larger)
    inputs = []
    for spec, example in zip(program.inputs, examples, strict=False):
        shape = [sizes[size] if isinstance(size, str) else size for size in spec.shape]
        if spec.dtype == "uint8":
            inputs.append(torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8))
        elif spec.dtype.startswith("float"):
            noise = torch.randn(shape, generator=generator, dtype=torch.float64)
            inputs.append(noise.abs() if 0 <= example.min() < example.max() else noise)
        else:
            inputs.append(repeated(example[:1], shape))
    return inputs


def _check_sizes(program: FusedProgram, larger: bool) -> dict[str, int]:
    """The numbers in place of dynamic sizes; the larger ones exceed the example's by odd multiples of their step."""
    found = {
        name: size
        for spec in program.inputs
        for name, size in zip(spec.shape, spec.example or (), strict=False)
        if isinstance(name, str) and name != BATCH
    }
    steps = {name: size_factor(name) * (2 * index + 1) if larger else 0 for index, name in enumerate(found)}
    return {BATCH: len(CHECK_CLASSES), **{name: size + steps[name] for name, size in found.items()}}


def all_inputs(program: FusedProgram, inputs: Sequence[Tensor], chosen: Tensor) -> list[Tensor]:
    """The given inputs, the class if the program takes it, and the defaults of the others."""
    given = iter(inputs)
    values = []
    for spec in program.inputs:
        default = chosen if spec.name == "target" else spec.default
        values.append(next(given) if default is None else default)
    return values


def as_dtype(value: Tensor, dtype: torch.dtype) -> Tensor:
    return value.to(dtype) if value.is_floating_point() else value
