"""Every kind, by name."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

import torch

from benchmarks.exactness.random_graphs.kinds import (
    batch_axes,
    expanded,
    half,
    inputs,
    integers,
    own_backwards,
    sizes,
    writes,
)
from benchmarks.exactness.random_graphs.kinds.drawn import Draw, Drawn

KINDS: Mapping[str, Draw] = {
    "expanded": expanded.draw,
    "writes": writes.draw,
    "own-backwards": own_backwards.draw,
    "sizes": sizes.draw,
    "half": half.draw,
    "inputs": inputs.draw,
    "batch-axes": batch_axes.draw,
    "batch-axis-of-input": batch_axes.draw_input,
    "integers": integers.draw,
}


def draw_kind(kind: str, seed: int, index: int) -> Drawn:
    """The network of a number, weights included, so that a failure can be drawn again."""
    generator = Random(f"{kind}/{seed}/{index}")
    torch.manual_seed(generator.randrange(2**31))
    return KINDS[kind](generator.choice)
