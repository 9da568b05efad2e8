"""Graphs of one sample, for models that take no free batch; and the errors that say that a model is one.

A model that loops over its batch, or that writes it as a number, has a graph for each batch it is given. That of one
sample is the model to the letter: whatever is in it belongs to that sample.
"""

from __future__ import annotations

from torch import fx

from fgcompile.compiler.ir.sizes import hint, is_fixed
from fgcompile.errors import CaptureError, InputError, ScoreError

ALONE = 1
"""The batch of a graph of one sample."""


def is_alone(graph: fx.Graph) -> bool:
    """Whether a graph is that of one sample: the batch of its first input is the number 1.

    Another number is that of the example, to which an operator has fixed the symbol.
    """
    batch = next(iter(graph.find_nodes(op="placeholder"))).meta["val"].shape[0]
    return is_fixed(batch) and hint(batch) == ALONE


class OfTheBatch(Exception):  # noqa: N818 - what is raised are the errors below
    """Marks errors that the batch may be the reason of: the model's graph of one sample may be one all the same."""


class FixedBatchError(OfTheBatch, CaptureError):
    """The graph fixes the batch."""


class FixedBatchInputError(OfTheBatch, InputError):
    """The model takes no batch of several samples."""


class FixedBatchScoreError(OfTheBatch, ScoreError):
    """What is explained, or returned, has no row for each sample."""
