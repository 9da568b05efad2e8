"""Products ``x (…, R, K) @ W (K, D)`` of rows that do not lie in order, as behind a transposition.

PyTorch folds such a product into one of two matrices only where the rows do; else each is a product of its own, 197 for
a layer of a Vision Transformer. Where a graph is run as it is, they are copied into order first.
"""

from __future__ import annotations

from typing import Any

import torch

aten = torch.ops.aten

_PRODUCTS = {aten.linear.default, aten.matmul.default}


def rows_in_order(target: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments of a call, with rows in order where it multiplies them by a matrix."""
    if target not in _PRODUCTS or arguments[0].dim() < 3 or arguments[1].dim() != 2:
        return arguments
    return (arguments[0].contiguous(), *arguments[1:])
