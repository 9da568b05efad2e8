"""What a call returns: a batch's predictions and what they rest on, from the artifact's outputs by name."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.validation import Array
from fgcompile.runtime.about import About
from fgcompile.runtime.depicted import Depicted

_SHOWN = 16
"""Targets that are shown whole."""


@dataclass(frozen=True, eq=False, repr=False)
class Explanation(Depicted):
    """A batch's predictions and what they rest on. What the artifact does not compute is None, or empty.

    ``explanation[0]`` and slices are the explanations of some of its samples, ``len`` is their number N. One sample has
    a picture, ``overlay()``, which a notebook shows by itself, best classes, ``top()``, and a ``waterfall()``.

    Attributes:
        logits: The model's output, shape (N, K).
        saliency: The map, shape (N, 1, *spatial); of the first input that has one.
        saliency_by_input: The map of every input that has one, by the input's name.
        target: The explained class of each sample, shape (N,), -1 resolved; of an output of more axes an index for
            each, (N, r). None where a score is explained. With several targets in a call, (N, T) or (N, T, r), the maps
            and every output below have an axis of them behind the batch.
        contributions: The signed sum of each term, shape (N, 1 + T): the input's first, then those of
            ``metadata["sites"]`` in their order; they add up to the score.
        residual: The score minus the sum of the terms, shape (N,).
        input_gradient: ∂f/∂x in the input's shape; with several inputs a tuple, in the artifact's order.
        bias_gradients: δ ⊙ b of each site by name.
        outputs: What the model returns beside the logits, by name, where it was compiled with "model" in outputs.
        about: The arrays that were given, not copies, and the artifact's metadata; None of one that was made by hand.
    """

    logits: Array | None
    saliency: Array | None
    saliency_by_input: Mapping[str, Array]
    target: NDArray[np.int64] | None
    contributions: Array | None
    residual: Array | None
    input_gradient: Array | tuple[Array, ...] | None
    bias_gradients: Mapping[str, Array]
    outputs: Mapping[str, Array] = field(default_factory=dict)
    about: About | None = None

    def __repr__(self) -> str:  # in a line, not the arrays
        shown = []
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            if isinstance(value, Mapping):
                shown += [f"{each.name} {', '.join(value)}"] if value and each.name != "saliency_by_input" else []
            elif isinstance(value, tuple):
                shown.append(f"{each.name} {', '.join(str(tuple(part.shape)) for part in value)}")
            elif each.name == "target" and value is not None and math.prod(value.shape) <= _SHOWN:
                shown.append(f"target {value.tolist()}")
            elif value is not None and each.name != "about":
                shown.append(f"{each.name} {tuple(value.shape)}")
        return f"Explanation({', '.join(shown)})"


def maps_by_input(outputs: Mapping[str, Array], metadata: Metadata) -> dict[str, Array]:
    """The maps by their inputs. The first is called ``saliency`` alone: of the first input that no other names."""
    named = with_prefix(outputs, "saliency.")
    if "saliency" not in outputs:
        return named
    first = next(spec["name"] for spec in metadata["inputs"] if spec["name"] not in named)
    return {first: outputs["saliency"], **named}


def input_gradients(outputs: Mapping[str, Array]) -> Array | tuple[Array, ...] | None:
    """The gradient of the only input, or of each; None where there is none."""
    single = outputs.get("input_gradient")
    return single if single is not None else tuple(with_prefix(outputs, "input_gradient.").values()) or None


def with_prefix(outputs: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    """The outputs whose name starts with ``prefix``, by the rest of their name."""
    return {name.removeprefix(prefix): array for name, array in outputs.items() if name.startswith(prefix)}
