"""Trained networks as artifacts that take raw photos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

import fgcompile
from fgcompile.demo.networks import Network


def compile_for_photos(network: Network, path: Path, format: str = "onnx", **options: Any) -> Path:
    """Writes the network's artifact for raw photos, with its labels, to ``path``; options as for ``compile``."""
    preprocess = fgcompile.Preprocess(mean=network.mean, std=network.std)
    x = torch.zeros(2, *network.input_shape)
    artifact = fgcompile.compile(
        network.model, x, format=format, preprocess=preprocess, labels=network.labels, **options
    )
    artifact.save(path)
    return path
