"""The full-gradient as a signed sum by token: what each place adds to the score, neither rescaled nor made positive.

    r_t = Σ_(x in patch t) x ∂f/∂x + Σ_(sites) Σ_(channels) (δ ⊙ b)_t,     Σ_t r_t = f − the head's bias

The map of FullGrad instead takes absolute values and rescales every layer to [0, 1] before it adds them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

PLACES = 8 * 8
TOKENS = 1 + PLACES


def by_token(images: Array, input_gradient: Array, bias_gradients: Mapping[str, Array]) -> Array:
    """The signed sum ``(N, 65)``, the class token first.

    Args:
        images: ``(N, 1, 56, 56)``.
        input_gradient: ``∂f/∂x``, as the images.
        bias_gradients: ``δ ⊙ b`` of each site. The patch embedding's is ``(N, C, 8, 8)`` and the head's ``(N, 10)``;
            all others have the tokens as their last axis but one, with heads before it or folded into the batch.
    """
    count = len(images)
    patches = (images * input_gradient).reshape(count, 8, 7, 8, 7).sum(axis=(2, 4))
    total = np.zeros((count, TOKENS))
    total[:, 1:] = by_place(patches) + by_place(bias_gradients["patches"])
    for site, value in bias_gradients.items():
        if site not in ("patches", "head"):
            total += value.reshape(count, -1, TOKENS, value.shape[-1]).sum(axis=(1, 3))
    return total


def by_place(values: Array) -> Array:
    """``(N, …, 8, 8)`` to ``(N, 64)``, whatever is between added up."""
    return values.reshape(len(values), -1, PLACES).sum(axis=1)
