"""Mixtures of experts, whose usual implementation runs those experts alone that some token was sent to."""

from __future__ import annotations

ADVICE = (
    "compute every expert and weigh the results; in Transformers, load the model with "
    "experts_implementation='batched_mm'"
)
"""What to do about an implementation that chooses by values what it computes."""


def is_of_experts(layer: str | None) -> bool:
    """Whether a layer's name says that it is a mixture of experts, or a part of one."""
    return layer is not None and any(word in layer.lower() for word in ("expert", "moe"))
