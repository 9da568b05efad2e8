"""Mixtures of experts, whose usual implementation runs those experts alone that some token was sent to.

Which these are depends on values. Models of Transformers have several implementations, and one of them computes the
same without asking: it gathers each token's experts as weights (``batched_mm``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

from fgcompile.compiler.request import Model

ADVICE = (
    "compute every expert and weigh the results; in Transformers, load the model with "
    "experts_implementation='batched_mm'"
)
"""What to do about an implementation that chooses by values what it computes."""

GATHERED = "batched_mm"
"""What Transformers calls the implementation that has a graph."""


def is_of_experts(layer: str | None) -> bool:
    """Whether a layer's name says that it is a mixture of experts, or a part of one."""
    return layer is not None and any(word in layer.lower() for word in ("expert", "moe"))


@contextmanager
def with_gathered_experts(model: Model) -> Iterator[None]:
    """While it is open, mixtures of experts of Transformers' models compute by gathering."""
    parts: list[Any] = []
    if isinstance(model, nn.Module) and any(is_of_experts(type(part).__name__) for part in model.modules()):
        parts = [part for part in model.modules() if hasattr(part, "set_experts_implementation")][:1]
    before = [part.get_experts_implementation() for part in parts]
    for part in parts:
        part.set_experts_implementation(GATHERED)
    try:
        yield
    finally:
        for part, own in zip(parts, before, strict=True):
            part.set_experts_implementation(own)
