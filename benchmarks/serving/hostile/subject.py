"""The small artifact that is served, and requests that it answers."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import fgcompile
from fgcompile.artifact.validation import Array
from fgcompile.runtime import Session

CLASSES = 5
SIDE = 8
LARGEST_BATCH = 4
SHAPE = (3, SIDE, SIDE)


def compile_subject(folder: Path) -> Path:
    """A small network as an artifact, the same in each run."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, CLASSES)]
    path = folder / "subject.onnx"
    fgcompile.compile(nn.Sequential(*layers).eval(), torch.rand(2, *SHAPE)).save(path)
    return path


@dataclass(frozen=True)
class Asked:
    """A request that is to be answered, and its answer."""

    x: Array
    target: Array
    logits: Array

    @property
    def inputs(self) -> list[dict[str, Any]]:
        """Its tensors, without their values."""
        return [
            {"name": "x", "datatype": "FP32", "shape": list(self.x.shape)},
            {"name": "target", "datatype": "INT64", "shape": list(self.target.shape)},
        ]

    @property
    def raw(self) -> list[bytes]:
        """Their values as bytes."""
        return [self.x.tobytes(), self.target.tobytes()]


def ask(session: Session, generator: random.Random) -> Asked:
    """A request as clients send it."""
    batch = generator.randint(1, LARGEST_BATCH)
    x = np.random.default_rng(generator.randrange(2**32)).random((batch, *SHAPE), np.float32)
    target = np.array([generator.randint(-1, CLASSES - 1) for _ in range(batch)])
    return Asked(x, target, session.run({"x": x, "target": target})["logits"])


def as_json(asked: Asked, nested: bool) -> dict[str, Any]:
    """A request with its values as numbers of JSON, in a row or nested as their shapes are."""
    values = [value.tolist() if nested else value.reshape(-1).tolist() for value in (asked.x, asked.target)]
    return {"inputs": [tensor | {"data": data} for tensor, data in zip(asked.inputs, values, strict=True)]}


def as_binary(asked: Asked) -> tuple[bytes, int]:
    """A request with its values behind the JSON, and the length of that."""
    inputs = [
        tensor | {"parameters": {"binary_data_size": len(raw)}}
        for tensor, raw in zip(asked.inputs, asked.raw, strict=True)
    ]
    head = json.dumps({"inputs": inputs}).encode()
    return head + b"".join(asked.raw), len(head)
