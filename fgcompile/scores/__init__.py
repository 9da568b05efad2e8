"""Common scores: callables for ``target=`` that map a model's output to the scalar ``(N,)`` that is explained.

Any function may be one; these are the usual ones, and examples of how to write others. What they compute has biases of
its own, which are terms like the model's. Some take inputs of their own, which the artifact then has behind the
model's: ``own_inputs(output)`` gives examples of these, so that ``compile`` needs no ``score_inputs``.
``require_classes(output, count)`` may refuse an output of another number of classes than there are labels.
"""

from __future__ import annotations

from collections.abc import Mapping

from fgcompile.errors import MissingPackageError

try:
    import torch as _torch  # noqa: F401 - says what is missing before a score asks for it
except ImportError as error:
    raise MissingPackageError("scores need torch: pip install 'fgcompile[compile]'") from error

from fgcompile.scores.classes import Contrast, Difference, LogOdds
from fgcompile.scores.detections import Box
from fgcompile.scores.regions import Region
from fgcompile.scores.texts import Continuation, Token
from fgcompile.scores.values import Similarity, Value

SCORES: Mapping[str, type] = {
    each.__name__: each for each in (Difference, Contrast, LogOdds, Value, Region, Token, Continuation, Box, Similarity)
}
"""The scores by their names, as the command line takes them."""

__all__ = [
    "SCORES",
    "Box",
    "Continuation",
    "Contrast",
    "Difference",
    "LogOdds",
    "Region",
    "Similarity",
    "Token",
    "Value",
]
