"""Every operator that random graphs are made of, by family and by name."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.exactness.random_graphs import (
    convolutions,
    elementwise,
    layout,
    normalizations,
    pooling,
    products,
    reductions,
)
from benchmarks.exactness.random_graphs.description import Operator

FAMILIES: Mapping[str, Mapping[str, Operator]] = {
    "convolutions": convolutions.OPERATORS,
    "elementwise": elementwise.OPERATORS,
    "joins": products.JOINED,
    "products": products.OPERATORS,
    "normalizations": normalizations.OPERATORS,
    "pooling": pooling.OPERATORS,
    "layout": layout.OPERATORS,
    "reductions": reductions.OPERATORS,
}
"""A graph draws a family first, so that a family with many operators does not crowd out the others."""

OPERATORS: Mapping[str, Operator] = {
    name: operator for family in FAMILIES.values() for name, operator in family.items()
}
