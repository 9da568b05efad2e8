"""The inputs of the checks: seeded noise at the example's sizes and at larger ones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from fgcompile.compiler.checking.sizes import Sizes, example_sizes
from fgcompile.compiler.ir.batch_axes import put_back
from fgcompile.compiler.ir.programs import FusedProgram, ValueSpec
from fgcompile.compiler.ir.sizes import BATCH, repeated, samples_axis

CHECK_CLASSES = (0, -1)
"""The classes that the checks explain, and so their batch size: not the one that back ends trace with."""

TOGETHER, ALONE, MANY = (0, 1), (0,), (0, 1, 0, 1, 0)
"""The samples of a check, by their number, that make batches of other sizes."""


CHECK_SEED = 0


def make_inputs(program: FusedProgram, examples: Sequence[Tensor], sizes: Sizes | None = None) -> list[Tensor]:
    """Seeded noise for the checks; inputs that are not numbers of an image or signal are the example's.

    It is positive where the example is nowhere negative: the model may take its logarithm.

    Args:
        program: The fused program.
        examples: The inputs that the model was compiled with.
        sizes: The numbers in place of dynamic sizes of space; None for the example's.
    """
    generator = torch.Generator().manual_seed(CHECK_SEED)
    numbers = {BATCH: len(CHECK_CLASSES), **(example_sizes(program) if sizes is None else sizes)}
    inputs = []
    for spec, example in zip(program.inputs, examples, strict=False):
        shape = [numbers[size] if isinstance(size, str) else size for size in spec.shape]
        if spec.dtype == "uint8":
            inputs.append(torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8))
        elif spec.dtype.startswith("float"):
            noise = torch.randn(shape, generator=generator, dtype=torch.float64)
            inputs.append(noise.abs() if 0 <= example.min() < example.max() else noise)
        else:
            # The example has its batch in front, whatever the artifact's axis is.
            axis = samples_axis(spec.shape) or 0
            sizes_in_front = [shape[axis], *shape[:axis], *shape[axis + 1 :]]
            inputs.append(put_back(repeated(example[:1], sizes_in_front), axis))
    return inputs


def all_inputs(program: FusedProgram, inputs: Sequence[Tensor], chosen: Tensor) -> list[Tensor]:
    """The given inputs, the class if the program takes it, and the defaults of the others."""
    given = iter(inputs)
    values = []
    for spec in program.inputs:
        default = chosen if spec.name == "target" else spec.default
        values.append(next(given) if default is None else default)
    return values


def picked(program: FusedProgram, values: Sequence[Tensor], samples: Sequence[int]) -> list[Tensor]:
    """All inputs for some of the samples, in any order and any number of times."""
    return [
        value if spec.default is not None else picked_of(spec, value, samples)
        for spec, value in zip(program.inputs, values, strict=True)
    ]


def picked_of(spec: ValueSpec, value: Tensor, samples: Sequence[int]) -> Tensor:
    """What some of the samples have of an input or output."""
    return value.index_select(samples_axis(spec.shape) or 0, torch.tensor(samples))


def as_dtype(value: Tensor, dtype: torch.dtype) -> Tensor:
    return value.to(dtype) if value.is_floating_point() else value
