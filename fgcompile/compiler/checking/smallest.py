"""The smallest dynamic sizes that an artifact takes: below them it would be wrong, or the model runs no longer.

Where a layer is left with a single place, PyTorch broadcasts, and what is enlarged from it no longer lies anywhere:
an artifact of that size would have another map. So the graph is tried at ever smaller sizes, each of which leaves a
layer with one place more or none, against the eager full-gradient *with the layouts of that size*.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import SymInt, Tensor

from fgcompile.compiler.checking.differences import relative_difference
from fgcompile.compiler.checking.expected import expected_outputs, returned_by
from fgcompile.compiler.checking.fused import FusedCheck, require_complete
from fgcompile.compiler.checking.inputs import CHECK_SAMPLES, all_inputs, check_targets, make_inputs
from fgcompile.compiler.checking.shapes import run_at
from fgcompile.compiler.checking.sizes import LayOut, Sizes, counts_of, derived_sizes, example_sizes, symbols, values_of
from fgcompile.compiler.ir.programs import FusedProgram, ValueSpec
from fgcompile.compiler.ir.sizes import BATCH, size_factor
from fgcompile.compiler.ir.torch_internals import evaluated
from fgcompile.compiler.request import Request
from fgcompile.errors import FgcompileError

ALWAYS = (1, 2, 3, 4)
"""Sizes, or multiples of what sizes are multiples of, that are tried whatever becomes of them."""


def find_smallest(
    program: FusedProgram,
    request: Request,
    checks: Sequence[FusedCheck],
    examples: Sequence[Tensor],
    lay_out: LayOut,
) -> tuple[FusedProgram, list[FusedCheck]]:
    """The program with the smallest sizes it takes in its specs, and the checks with that of these.

    Both as they are where only batches vary. All axes shrink together until the graph is off by more than the limit of
    the ``checks`` or does not run.
    """
    if not request.dynamic_sizes:
        return program, [*checks]
    limit = max(check.limit for check in checks)

    example = example_sizes(program)

    def check(sizes: Sizes) -> FusedCheck | None:
        found = [check_at(apart) for apart in _apart(sizes, example)]
        return None if None in found else found[0]

    def check_at(sizes: Sizes) -> FusedCheck | None:
        try:
            laid = lay_out({**sizes, BATCH: CHECK_SAMPLES})
            inputs = make_inputs(program, examples, sizes)
            chosen, returned = check_targets(program), returned_by(program)
            expected, score = expected_outputs(laid, request, inputs, chosen, returned)
            if not _difference(program, inputs, expected) <= limit:
                return None
            return FusedCheck(inputs, expected, require_complete(score, expected["contributions"]), limit)
        except (RuntimeError, IndexError, ValueError, FgcompileError):  # of PyTorch too, where sizes do not fit
            return None

    below, sizes, passed = None, example, None
    taken: list[tuple[Sizes, FusedCheck | None]] = []
    for smaller in _descending(program):
        if (found := check(smaller)) is None:
            below = smaller
            break
        sizes, passed = smaller, found
        taken.append((sizes, passed))
    if below is not None:
        taken.append(_between(below, sizes, passed, check))
    # One axis alone may be too small: it is the smallest sizes of which each is right beside the others' example too.
    while taken and not all(check(one) for one in _one_by_one(taken[-1][0], example)):
        taken.pop()
    sizes, passed = taken[-1] if taken else (example, None)
    inputs = tuple(_at_least(spec, sizes) for spec in program.inputs)
    return replace(program, inputs=inputs), [*checks, *([] if passed is None else [passed])]


def _apart(sizes: Sizes, example: Sizes) -> list[Sizes]:
    """The sizes; of those that have become one, which are several in the example, each enlarged beside the others.

    Inputs of one shape share a map, so that the graph, which has a map for each, would be another at such sizes.
    """
    found = []
    for names in (list(sizes), list(reversed(sizes))):
        apart: dict[str, int] = {}
        for name in names:
            size = sizes[name]
            while any(size == other and example[name] != example[known] for known, other in apart.items()):
                size += size_factor(name)
            apart[name] = size
        found.append({name: apart[name] for name in sizes})
    return found[:1] if found[0] == found[1] else found


def _one_by_one(sizes: Sizes, example: Sizes) -> list[Sizes]:
    return [{**example, name: size} for name, size in sizes.items()] if len(sizes) > 1 else []


def _difference(program: FusedProgram, inputs: Sequence[Tensor], expected: Mapping[str, Tensor]) -> float:
    """The largest difference of the graph's outputs from the eager ones; infinite where these have other maps."""
    if any(spec.name not in expected for spec in program.outputs if spec.name != "residual"):
        return math.inf
    outputs = run_at(program, all_inputs(program, inputs))
    return max(
        relative_difference(value, expected[spec.name])
        for spec, value in zip(program.outputs, outputs, strict=True)
        if spec.name != "residual"
    )


def _between(
    below: Sizes, sizes: Sizes, passed: FusedCheck | None, check: Callable[[Sizes], FusedCheck | None]
) -> tuple[Sizes, FusedCheck | None]:
    """The smallest sizes that pass above ones that do not, by bisection: a kernel or padding may need more than two."""
    while True:
        steps = {name: (sizes[name] - low) // (2 * size_factor(name)) for name, low in below.items()}
        if not any(steps.values()):
            return sizes, passed
        middle = {name: low + steps[name] * size_factor(name) for name, low in below.items()}
        found = check(middle)
        if found is None:
            below = middle
        else:
            sizes, passed = middle, found


def _descending(program: FusedProgram) -> Iterator[Sizes]:
    """Sizes of the whole input from the example's down to the least, at each of which a layer's is the last above."""
    example = example_sizes(program)
    if not example:
        return
    named, derived = symbols(program), [size for size, _ in derived_sizes(program).values()]
    steps = {name: sorted(_steps(name, example, named, derived), reverse=True) for name in example}
    for index in range(max(map(len, steps.values()))):
        yield {name: found[min(index, len(found) - 1)] for name, found in steps.items()}


def _steps(name: str, example: Sizes, named: dict[str, SymInt], derived: Sequence[SymInt]) -> set[int]:
    """The least sizes along one axis at which a derived size is 1, or 2: by bisection, since these grow with it."""
    factor, most = size_factor(name), example[name] // size_factor(name)

    def value(size: SymInt, count: int) -> int:
        return evaluated(size, values_of(named, {**example, name: count * factor}) | _batch(named))

    found = {count for count in ALWAYS if count <= most}
    for size in derived:
        for least in (1, 2):
            low, high = 1, most
            while low < high:
                middle = (low + high) // 2
                low, high = (low, middle) if value(size, middle) >= least else (middle + 1, high)
            found.add(low)
    return {count * factor for count in found}


def _batch(named: dict[str, SymInt]) -> dict[Any, int]:
    return values_of(named, counts_of(named))


def _at_least(spec: ValueSpec, sizes: Sizes) -> ValueSpec:
    """The spec with its smallest sizes, where some that are multiples of its factors are refused."""
    if spec.example is None:
        return spec
    given = zip(spec.shape, spec.example, strict=True)
    smallest = tuple(sizes.get(str(name), size) for name, size in given)
    refused = any(size > size_factor(name) for name, size in sizes.items() if name in spec.shape)
    return replace(spec, smallest=smallest) if refused else spec
