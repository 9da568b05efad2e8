"""Other examples for dynamic sizes, so that AOTInductor takes no two sizes for one that agree by chance.

Inductor compares symbolic sizes at the example's, and takes what it finds for granted: at an even width ``w`` the
gradient of a stride-2 convolution has ``2 ⌊(w − 1)/2⌋ + 2 = w`` columns, so that it leaves out the crop that an odd
width needs. At ``w = 1`` modulo 64 it has ``w + 1``, through six such layers, and the crop stays for every width.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, fx

from fgcompile.compiler.ir.runner import as_pass
from fgcompile.compiler.ir.sizes import hint, is_fixed
from fgcompile.compiler.ir.torch_internals import (
    DimDynamic,
    FakeTensorMode,
    ShapeEnv,
    StatelessSymbolicContext,
    expression,
)

_STEP = 64


@as_pass(renames_sizes=True, stale_values=True)
def uneven_sizes(graph_module: fx.GraphModule) -> bool:
    """Gives the graph's sizes other examples, in place; whether it did: not where only the batch varies.

    A size that has to be a multiple of a number stays one: what holds at each of them may be taken for granted.
    """
    placeholders = graph_module.graph.find_nodes(op="placeholder")
    values: list[Tensor] = [node.meta["val"] for node in placeholders]
    examples = _examples(values)
    if len(examples) < 2:
        return False
    mode = FakeTensorMode(shape_env=ShapeEnv(), allow_non_fake_inputs=True)
    for node, value in zip(placeholders, values, strict=True):
        node.meta["val"] = _fake(value, examples, mode)
    return True


def _examples(values: Iterable[Tensor]) -> dict[str, int]:
    """Another example of each symbolic size, by its expression. The batch comes first and keeps its own."""
    examples: dict[str, int] = {}
    size: Any  # a number or a SymInt
    for size in (size for value in values for size in value.shape if not is_fixed(size)):
        symbol = str(size)
        if symbol not in examples:
            factor = int(expression(size).as_coeff_Mul()[0])
            example = hint(size) if factor > 1 or not examples else -(-hint(size) // _STEP) * _STEP + 1
            while example in examples.values():  # equal examples would become one size
                example += factor if factor > 1 else _STEP
            examples[symbol] = example
    return examples


def _fake(value: Tensor, examples: dict[str, int], mode: FakeTensorMode) -> Tensor:
    sizes = [hint(size) if is_fixed(size) else examples[str(size)] for size in value.shape]
    dynamic = [DimDynamic.STATIC if is_fixed(size) else DimDynamic.DYNAMIC for size in value.shape]
    example = torch.empty(sizes, dtype=value.dtype, device=value.device)
    return mode.from_tensor(example, symbolic_context=StatelessSymbolicContext(dynamic_sizes=dynamic))
