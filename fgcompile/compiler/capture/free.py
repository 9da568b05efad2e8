"""Which sizes a captured graph leaves free."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Free:
    """What is symbolic of the inputs' sizes.

    Attributes:
        batch: Whether the batch is: else the graph is that of one sample, with a batch of 1.
        sizes: Whether those of space are.
    """

    batch: bool = True
    sizes: bool = False
