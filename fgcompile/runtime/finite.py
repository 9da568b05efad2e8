"""Finite inputs may overflow on the way: what comes out then is no explanation, and says so."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np

from fgcompile.artifact.names import LOGITS
from fgcompile.artifact.validation import Array
from fgcompile.errors import NonFiniteWarning


def warn_of_overflow(outputs: Mapping[str, Array]) -> None:
    """Warns of what ``describe_overflow`` finds."""
    if found := describe_overflow(outputs):
        warnings.warn(found, NonFiniteWarning, stacklevel=3)


def describe_overflow(outputs: Mapping[str, Array]) -> str | None:
    """The first output with NaN or infinity, in words, or None; a logit of -inf is a class masked out."""
    for name, array in outputs.items():
        if array.dtype.kind != "f" or np.isfinite(array).all():
            continue
        wrong = ~np.isfinite(array)
        if name == LOGITS:
            wrong &= ~np.isneginf(array)
        if count := int(np.count_nonzero(wrong)):
            return (
                f"{name} has {count} of {array.size} values that are NaN or infinite: "
                f"{array.dtype} overflowed on these inputs, give smaller ones"
            )
    return None
