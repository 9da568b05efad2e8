"""Artifacts of the small networks that several tests read: each is compiled once a run."""

from __future__ import annotations

from typing import Any

import torch

import fgcompile
from tests.support.networks import build
from tests.support.shared import shared


@shared
def compiled(name: str, format: str = "onnx", **options: Any) -> fgcompile.Artifact:
    """The artifact of a network of ``NETWORKS`` in float32, made for the example of ``build``.

    Args:
        name: The network's.
        format: The artifact's.
        options: Others of ``fgcompile.compile``, hashable.
    """
    with torch.random.fork_rng():  # a test draws the same numbers, whichever compiled it first
        model, x = build(name, torch.float32)
        return fgcompile.compile(model, x, format=format, **options)
