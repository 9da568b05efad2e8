"""What a comparison that fails is due to, where it is no defect: numbers that are not finite, or are lost in float32.

A model that saturates, a tanh of ±50 say, has a gradient of 1e-40 there: float32 has no digits of it, and any two ways
of computing it differ by all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from fgcompile.artifact.names import is_predicted
from fgcompile.compiler.checking.differences import Values
from fgcompile.compiler.ir.weights import ADVICE as OF_WEIGHTS
from fgcompile.compiler.ir.weights import not_numbers

VANISHING = 1e-4
"""The share of the input in what makes up a score below which rounding of the rest is not small beside it."""

ADVICE = (
    "give real inputs as the example (fgcompile.compile, example_inputs), or explain what is in front of it, output="
)


def not_finite(
    exact: Mapping[str, Values],
    artifact: Mapping[str, Values] | None = None,
    weights: Iterable[tuple[str, str, Tensor]] = (),
) -> str | None:
    """What is said of a model whose numbers, or whose gradient's, are not finite; None of others.

    Args:
        exact: Its outputs in float64.
        artifact: Those of what is compared with them.
        weights: The kind, name and value of each of the model's, which are at fault where they are not finite.
    """
    for name, value in exact.items():
        if not _is_finite(value):
            if found := not_numbers(weights):
                return f"the model returns NaN or infinite numbers, since its {found}: {OF_WEIGHTS}"
            what = "the model returns" if is_predicted(name) else "the model's gradient has"
            return f"{what} NaN or infinite numbers on the example: {ADVICE}"
    if all(map(_is_finite, (artifact or {}).values())):
        return None
    return (
        "the model, or its gradient, has NaN or infinite numbers on the example, such as the slope of a square root at "
        f"0 or what is too large for float32: {ADVICE}"
    )


def saturation(exact: Mapping[str, Values]) -> str | None:
    """What is said of a model whose gradient vanishes; None of others.

    Args:
        exact: Its outputs in float64, contributions among them, of the input first.
    """
    terms = torch.as_tensor(exact["contributions"]).double().abs()
    share = (terms[..., 0] / terms.sum(-1).clamp(min=torch.finfo(torch.float64).tiny)).median().item()
    # What is nothing at all is the same in any precision: tokens are no numbers that would have a gradient.
    if not terms[..., 0].any() or not share < VANISHING:
        return None
    return (
        f"the model saturates on the example: its gradient vanishes, so that the input makes {share:.0e} of the terms "
        f"of its score, and float32 has no digits of that: {ADVICE}"
    )


def _is_finite(value: Values) -> bool:
    return bool(torch.as_tensor(value).isfinite().all())
