"""Weights that are no numbers: NaN in one of them is in all that is computed of it, whatever the inputs are."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

PARAMETER, BUFFER, WEIGHT = "parameter", "buffer", "weight"
"""Of a graph's tensors nothing says any more which were parameters, and which masks of −∞."""

ADVICE = "load or train it anew, since no input makes up for that"


def not_numbers(named: Iterable[tuple[str, str, Tensor]]) -> str | None:
    """``parameter 'head.weight' holds NaN``, of the first that does; None where all are finite.

    Args:
        named: The kind, name and value of each.
    """
    for kind, name, value in named:
        if not (value.is_floating_point() or value.is_complex()) or value.isfinite().all():
            continue
        missing = int(value.isnan().sum())
        if missing or kind == PARAMETER:  # −∞ in a buffer is a mask of attention's
            what, count = ("NaN", missing) if missing else ("infinity", int(value.isinf().sum()))
            return f"{kind} '{name}' holds {what}, in {count} of {value.numel()} numbers"
    return None
