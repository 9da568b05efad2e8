"""What was read of a source, and how files of weights are known again."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from fgcompile.artifact.fitting import Fit


@dataclass(frozen=True)
class Preset:
    """What a source says; each is None where it says nothing.

    Attributes:
        origin: Who says so.
        mean: One number a channel of the model's.
        std: Likewise.
        scale: The values of black and white that these two are of.
        order: ``"rgb"``, or ``"bgr"``.
        shape: ``(C, H, W)`` of what the model takes.
        fit: How pictures become that.
        labels: The classes' names.
        left_out: What is there and cannot be taken, and why.
    """

    origin: str
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    scale: tuple[float, float] = (0.0, 1.0)
    order: str = "rgb"
    shape: tuple[int, int, int] | None = None
    fit: Fit | None = None
    labels: tuple[str, ...] | None = None
    left_out: tuple[str, ...] = ()


def is_file_of(weights: Path | None, url: str | None) -> bool:
    """Whether a file is what an address holds, by the beginning of its SHA-256 that PyTorch's hubs put into names."""
    found = re.search(r"-([0-9a-f]{8,64})\.(?:pth|pt|safetensors)$", url or "")
    if weights is None or found is None:
        return False
    with weights.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest().startswith(found[1])
