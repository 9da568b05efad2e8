"""Other examples for dynamic sizes, so that AOTInductor takes no two sizes for one that agree by chance.

Inductor compares symbolic sizes at the example's, and takes what it finds for granted: at an even width ``w`` the
gradient of a convolution of stride 2 over 3 columns has ``2 ⌊(w − 1)/2⌋ + 2 = w`` columns, so that it leaves out the
crop that an odd width needs; over 2 columns it is at an odd one that there is nothing to crop. At ``w = 1`` modulo 64
the former are one too wide through six layers; where others are not, a remainder is sought at which all crops are some.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, fx

from fgcompile.compiler.ir.runner import as_pass
from fgcompile.compiler.ir.sizes import hint, is_fixed, same_size
from fgcompile.compiler.ir.torch_internals import (
    DimDynamic,
    FakeTensorMode,
    ShapeEnv,
    StatelessSymbolicContext,
    evaluated,
    expression,
    symbols_in,
)

_STEP = 64

_Crop = tuple[int | torch.SymInt, int | torch.SymInt]


@as_pass(renames_sizes=True, stale_values=True)
def uneven_sizes(graph_module: fx.GraphModule) -> bool:
    """Gives the graph's sizes other examples, in place; whether it did: not where only the batch varies.

    A size that has to be a multiple of a number stays one: what holds at each of them may be taken for granted.
    """
    placeholders = graph_module.graph.find_nodes(op="placeholder")
    values: list[Tensor] = [node.meta["val"] for node in placeholders]
    examples = _examples(values, _crops(graph_module.graph))
    if len(examples) < 2:
        return False
    mode = FakeTensorMode(shape_env=ShapeEnv(), allow_non_fake_inputs=True)
    for node, value in zip(placeholders, values, strict=True):
        node.meta["val"] = _fake(value, examples, mode)
    return True


def _crops(graph: fx.Graph) -> list[_Crop]:
    """The sizes before and after each crop to a size that depends on the inputs', each pair once."""
    crops: dict[tuple[str, str], _Crop] = {}
    for node in graph.find_nodes(op="call_function", target=torch.ops.aten.slice.Tensor):
        source, axis = node.args[0], node.args[1] if len(node.args) > 1 else 0
        before, after = source.meta["val"].shape[axis], node.meta["val"].shape[axis]
        if not is_fixed(after) and not same_size(before, after):
            crops.setdefault((str(before), str(after)), (before, after))
    return list(crops.values())


def _examples(values: Iterable[Tensor], crops: list[_Crop]) -> dict[str, int]:
    """Another example of each symbolic size, by its expression. The batch comes first and keeps its own."""
    examples: dict[str, int] = {}
    size: Any  # a number or a SymInt
    for size in (size for value in values for size in value.shape if not is_fixed(size)):
        symbol = str(size)
        if symbol in examples:
            continue
        factor = int(expression(size).as_coeff_Mul()[0])
        if factor > 1 or not examples:
            example, step = hint(size), factor
        else:
            example, step = -(-hint(size) // _STEP) * _STEP + _remainder(expression(size), crops), _STEP
        while example in examples.values():  # equal examples would become one size
            example += step
        examples[symbol] = example
    return examples


def _remainder(symbol: Any, crops: list[_Crop]) -> int:
    """The first remainder of a size at which no crop of what depends on it alone is of nothing; else that of fewest."""
    own = [crop for crop in crops if set().union(*(symbols_in(size) for size in crop)) == {symbol}]

    def idle(remainder: int) -> int:
        numbers = {symbol: 2 * _STEP + remainder}
        return sum(evaluated(before, numbers) == evaluated(after, numbers) for before, after in own)

    fewest = (len(own) + 1, 0)
    for remainder in (1, 0, *range(2, _STEP)):
        fewest = min(fewest, (idle(remainder), remainder), key=lambda found: found[0])
        if fewest[0] == 0:
            break
    return fewest[1]


def _fake(value: Tensor, examples: dict[str, int], mode: FakeTensorMode) -> Tensor:
    sizes = [hint(size) if is_fixed(size) else examples[str(size)] for size in value.shape]
    dynamic = [DimDynamic.STATIC if is_fixed(size) else DimDynamic.DYNAMIC for size in value.shape]
    example = torch.empty(sizes, dtype=value.dtype, device=value.device)
    return mode.from_tensor(example, symbolic_context=StatelessSymbolicContext(dynamic_sizes=dynamic))
