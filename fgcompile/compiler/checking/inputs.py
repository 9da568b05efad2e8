"""The inputs of the checks: seeded noise at the example's sizes and at larger ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.names import TARGET
from fgcompile.artifact.questions import asked_axes
from fgcompile.compiler.checking.sizes import Sizes, example_sizes
from fgcompile.compiler.ir.batch_axes import put_back
from fgcompile.compiler.ir.programs import FusedProgram, Shape, ValueSpec
from fgcompile.compiler.ir.sizes import BATCH, repeated, samples_axis

CHECK_SAMPLES = 2
"""The batch size of the checks: not the one that back ends trace with."""

TOGETHER, ALONE, MANY = (0, 1), (0,), (1, 0, 1)
"""The samples of a check, by their number, that make batches of other sizes, and of another order."""

CHECK_TARGETS = 4
"""How many targets the checks have where any number is taken: not the one that back ends trace with."""

CHECK_SEED = 0

NARROW = 16
"""By how much an example may be wider or narrower than noise that stands for it."""

STEP = 7919
"""How far elements that are explained are apart, among all of the output's: a prime."""


def make_inputs(program: FusedProgram, examples: Sequence[Tensor], sizes: Sizes | None = None) -> list[Tensor]:
    """Seeded noise for the checks; inputs that are not numbers of an image or signal are the example's.

    Of several samples those of the one that is least padded, since a part of another may be padding alone.

    It is positive where the example is nowhere negative: the model may take its logarithm. Where the example is spread
    by much more or less than it, it is as wide: a model saturates on numbers of another scale than its inputs.

    Args:
        program: The fused program.
        examples: The inputs that the model was compiled with.
        sizes: The numbers in place of dynamic sizes of space; None for the example's.
    """
    generator = torch.Generator().manual_seed(CHECK_SEED)
    numbers = {BATCH: CHECK_SAMPLES, **(example_sizes(program) if sizes is None else sizes)}
    inputs, least_padded = [], _least_padded(examples)
    for spec, example in zip(program.inputs, examples, strict=False):
        shape = [numbers[size] if isinstance(size, str) else size for size in spec.shape]
        if spec.dtype == "uint8":
            inputs.append(torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8))
        elif spec.dtype.startswith("float"):
            noise = torch.randn(shape, generator=generator, dtype=torch.float64)
            noise = noise.abs() if 0 <= example.min() < example.max() else noise
            inputs.append(noise * _scale(example))
        else:
            # The example has its batch in front, whatever the artifact's axis is.
            axis = samples_axis(spec.shape) or 0
            sizes_in_front = [shape[axis], *shape[:axis], *shape[axis + 1 :]]
            inputs.append(put_back(repeated(example[least_padded % len(example)][None], sizes_in_front), axis))
    return inputs


def _scale(example: Tensor) -> float:
    """How wide an example is spread, as a power of two, where noise is not about as wide."""
    spread = example.double().std(correction=0).item()
    if not 0 < spread < math.inf or 1 / NARROW <= spread <= NARROW:
        return 1.0
    return 2.0 ** round(math.log2(spread))


def _least_padded(examples: Sequence[Tensor]) -> int:
    """The first of the samples in whose integers and truths the fewest are 0; a score may have an example of one."""
    whole = [value for value in examples if not value.is_floating_point() and value.ndim > 1]
    count = len(examples[0])
    counts = [sum(int(value[sample % len(value)].count_nonzero()) for value in whole) for sample in range(count)]
    return counts.index(max(counts))


def check_targets(program: FusedProgram) -> Tensor:
    """What the checks explain: elements of the output in the first sample, and the largest, or that of a row, too.

    Of logits ``(N, K)`` class 0 and the predicted one.
    """
    return _targets(program.asked, program.questions, [0, 1])


def verified_targets(metadata: Metadata, samples: int) -> Tensor:
    """What ``verify`` explains of each sample: the largest, and where there are several targets other elements."""
    axes = tuple(axis["size"] for axis in asked_axes(metadata))
    return _targets(axes, metadata.get("targets"), [1] * samples)


def _targets(axes: Shape, questions: int | str | None, firsts: Sequence[int]) -> Tensor:
    """Elements for each sample, the first of them the largest of all where ``firsts`` is 1."""
    sizes = [size if isinstance(size, int) else 1 for size in axes] or [1]
    count = CHECK_TARGETS if isinstance(questions, str) else questions or 1
    rows = [[_element(sizes, number, first) for number in range(count)] for first in firsts]
    targets = torch.tensor(rows)
    targets = targets[..., 0] if len(sizes) == 1 else targets
    return targets[:, 0] if questions is None else targets


def _element(sizes: Sequence[int], number: int, first: int) -> list[int]:
    """One index for each axis: far from those of the numbers before."""
    if first and number == 0:
        return [-1] * len(sizes)
    place, indices = number * STEP, []
    for size in reversed(sizes):
        indices.append(place % size)
        place //= size
    largest_there = first and number == 1 and len(sizes) > 1
    return [*indices[:0:-1], -1 if largest_there else indices[0]]


def all_inputs(program: FusedProgram, inputs: Sequence[Tensor]) -> list[Tensor]:
    """The given inputs, the targets of the checks if the program takes them, and the defaults of the others."""
    given, chosen = iter(inputs), check_targets(program)
    values = []
    for spec in program.inputs:
        default = chosen if program.asked and spec.name == TARGET else spec.default
        values.append(next(given) if default is None else default)
    return values


def picked(program: FusedProgram, values: Sequence[Tensor], samples: Sequence[int]) -> list[Tensor]:
    """All inputs for some of the samples, in any order and any number of times."""
    return [
        value if spec.default is not None else picked_of(spec, value, samples)
        for spec, value in zip(program.inputs, values, strict=True)
    ]


def samples_of(program: FusedProgram, inputs: Sequence[Tensor]) -> int:
    """How many samples all inputs have."""
    spec, value = next(
        (spec, value) for spec, value in zip(program.inputs, inputs, strict=True) if spec.default is None
    )
    return value.shape[samples_axis(spec.shape) or 0]


def picked_of(spec: ValueSpec, value: Tensor, samples: Sequence[int]) -> Tensor:
    """What some of the samples have of an input or output."""
    return value.index_select(samples_axis(spec.shape) or 0, torch.tensor(samples))


def as_dtype(value: Tensor, dtype: torch.dtype) -> Tensor:
    return value.to(dtype) if value.is_floating_point() else value
