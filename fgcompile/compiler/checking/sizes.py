"""The sizes that a graph is checked at beside the example's: such that every size derived from them differs too.

65 samples in patches of 4 are 16 tokens, as 64 are: a graph that has 16 baked in is right at both. So candidates are
tried on the symbolic shapes of the graph until none of these is what it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

from torch import SymInt, Tensor, fx

from fgcompile.artifact.names import TARGETS
from fgcompile.compiler.ir.programs import BiasedProgram, FusedProgram
from fgcompile.compiler.ir.sizes import BATCH, hint, is_fixed, size_factor
from fgcompile.compiler.ir.torch_internals import evaluated, expression, pytree

Sizes = dict[str, int]
"""The number in place of each dynamic size of space, by its name in the specs of the inputs: ``{"4*height": 20}``."""

LayOut = Callable[[Mapping[str, int]], BiasedProgram]
"""The exposed program with the layouts of some sizes, given by their names."""

SMALLEST = 2
"""The least that a derived size is varied to: at 1 PyTorch broadcasts."""


def example_sizes(program: FusedProgram) -> Sizes:
    """The example's dynamic sizes of space."""
    return {
        name: size
        for spec in program.inputs
        for name, size in zip(spec.shape, spec.example or (), strict=False)
        if isinstance(name, str) and name != BATCH
    }


def other_sizes(program: FusedProgram) -> list[Sizes]:
    """Larger sizes than the example's, then smaller ones if there are; none where only the batch is dynamic.

    They are off by odd multiples of what they are multiples of, each axis by another, by half at most.
    """
    sizes = example_sizes(program)
    if not sizes:
        return []
    derived = derived_sizes(program)
    changed = (_nearest_changed(sizes, derived, symbols(program), sign) for sign in (1, -1))
    return [found for found in changed if found is not None]


def symbols(program: FusedProgram) -> dict[str, SymInt]:
    """Each dynamic size of the inputs, a symbol or a multiple of one, by its name."""
    placeholders = program.graph_module.graph.find_nodes(op="placeholder")
    return {
        name: size
        for spec, node in zip(program.inputs, placeholders, strict=True)
        for name, size in zip(spec.shape, node.meta["val"].shape, strict=True)
        if isinstance(name, str) and not is_fixed(size)
    }


def counts_of(named: Mapping[str, SymInt]) -> Sizes:
    """The example's numbers of samples and of targets, where any number of these is taken."""
    return {name: hint(named[name]) for name in (BATCH, TARGETS) if name in named}


def values_of(named: dict[str, SymInt], sizes: Sizes) -> dict[Any, int]:
    """The number in place of each symbol, for sizes by name."""
    split = {name: expression(named[name]).as_coeff_Mul() for name in sizes if name in named}
    return {symbol: sizes[name] // int(factor) for name, (factor, symbol) in split.items()}


def shapes_of(node: fx.Node) -> list[Sequence[int | SymInt]]:
    """The symbolic shapes of a node's tensors."""
    return [leaf.shape for leaf in pytree.tree_leaves(node.meta.get("val")) if isinstance(leaf, Tensor)]


def derived_sizes(program: FusedProgram) -> dict[Any, tuple[SymInt, int]]:
    """Every size of the graph's tensors that depends on space, by its expression: it, and what it is at the example."""
    named = symbols(program)
    found = {
        expression(size): (size, hint(size))
        for node in program.graph_module.graph.nodes
        for shape in shapes_of(node)
        for size in shape
        if isinstance(size, SymInt) and not is_fixed(size)
    }
    counts = {expression(size) for name, size in named.items() if name in (BATCH, TARGETS)}
    return {key: value for key, value in found.items() if key.free_symbols - counts}


def _moved(sizes: Sizes, sign: int, step: int, apart: int) -> Sizes:
    """The sizes by so many of their factors larger or smaller, each by some more than the one before."""
    return {
        name: size + sign * size_factor(name) * (step + apart * index)
        for index, (name, size) in enumerate(sizes.items())
    }


def _are_joined(before: Sizes, after: Sizes) -> bool:
    """Whether sizes that differed no longer do: inputs of one shape share a map, so that the model has another."""
    return any(after[a] == after[b] for a, b in combinations(before, 2) if before[a] != before[b])


def _nearest_changed(
    sizes: Sizes, derived: dict[Any, tuple[SymInt, int]], named: dict[str, SymInt], sign: int
) -> Sizes | None:
    """The nearest sizes at which all derived ones differ from the example's, or else most of them."""
    best, most = None, -1
    factors = [size_factor(name) for name in sizes]
    room = min(size // (2 * factor) for size, factor in zip(sizes.values(), factors, strict=True))
    for step in range(1, max(room, 1) + 1, 2):
        tries = (_moved(sizes, sign, step, apart) for apart in (2, 4))
        moved = next((each for each in tries if not _are_joined(sizes, each)), None)
        if moved is None:
            continue
        numbers = values_of(named, {**moved, **counts_of(named)})
        found = [(evaluated(size, numbers), at_example) for size, at_example in derived.values()]
        if min(moved.values()) < SMALLEST or any(value < SMALLEST <= before for value, before in found):
            break
        changed = sum(value != before for value, before in found)
        if changed > most:
            best, most = moved, changed
        if changed == len(found):
            break
    return best
