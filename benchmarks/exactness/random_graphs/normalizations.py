"""BatchNorm, normalisations by the input's own statistics, and softmax along any axis."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.exactness.random_graphs.description import Choose, Layer, Operator, Settings, Shape

BATCH_NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm1d, 3: nn.BatchNorm2d, 4: nn.BatchNorm3d}
INSTANCE_NORMS = {2: nn.InstanceNorm1d, 3: nn.InstanceNorm2d, 4: nn.InstanceNorm3d}
SMALLEST = 4
"""Fewer elements are not normalised by their own statistics, which would be nearly singular."""


def _draw_affine(choose: Choose, shapes: Sequence[Shape]) -> Settings:
    return {"affine": choose([True, False])}


def _build_batch_norm(shapes: Sequence[Shape], settings: Settings) -> Layer:
    return BATCH_NORMS[len(shapes[0])](shapes[0][0], affine=settings["affine"])


def _build_instance_norm(shapes: Sequence[Shape], settings: Settings) -> Layer:
    return INSTANCE_NORMS[len(shapes[0])](shapes[0][0], affine=settings["affine"])


def _draw_layer_norm(choose: Choose, shapes: Sequence[Shape]) -> Settings:
    shape = shapes[0]
    axes = [n for n in range(1, len(shape) + 1) if math.prod(shape[-n:]) >= SMALLEST]
    return {"axes": choose(axes), **_draw_affine(choose, shapes)}


def _build_layer_norm(shapes: Sequence[Shape], settings: Settings) -> Layer:
    return nn.LayerNorm(shapes[0][-settings["axes"] :], elementwise_affine=settings["affine"])


def _group_counts(shape: Shape) -> list[int]:
    return [g for g in range(1, shape[0] + 1) if shape[0] % g == 0 and math.prod(shape) // g >= SMALLEST]


def _draw_group_norm(choose: Choose, shapes: Sequence[Shape]) -> Settings:
    return {"groups": choose(_group_counts(shapes[0])), **_draw_affine(choose, shapes)}


def _build_group_norm(shapes: Sequence[Shape], settings: Settings) -> Layer:
    return nn.GroupNorm(settings["groups"], shapes[0][0], affine=settings["affine"])


def _build_rms_norm(shapes: Sequence[Shape], settings: Settings) -> Layer:
    return nn.RMSNorm(shapes[0][-1], eps=1e-3, elementwise_affine=settings["affine"])


def _draw_axis(choose: Choose, shapes: Sequence[Shape]) -> Settings:
    return {"axis": choose(range(1, len(shapes[0]) + 1))}


def _along_axis(function: Callable[..., Any], shapes: Sequence[Shape], settings: Settings) -> Layer:
    return lambda x: function(x, dim=settings["axis"])


def _normalise(x: Tensor, dim: int) -> Tensor:
    return F.normalize(x + 1.7, dim=dim)


OPERATORS = {
    "batch norm": Operator(_build_batch_norm, draw=_draw_affine),
    "instance norm": Operator(
        _build_instance_norm, lambda s: len(s[0]) > 1 and math.prod(s[0][1:]) >= SMALLEST, _draw_affine
    ),
    "layer norm": Operator(_build_layer_norm, lambda s: math.prod(s[0]) >= SMALLEST, _draw_layer_norm),
    "group norm": Operator(_build_group_norm, lambda s: math.prod(s[0]) >= SMALLEST, _draw_group_norm),
    "rms norm": Operator(_build_rms_norm, lambda s: s[0][-1] >= SMALLEST, _draw_affine),
    "unit length": Operator(partial(_along_axis, _normalise), draw=_draw_axis),
    "softmax": Operator(partial(_along_axis, torch.softmax), draw=_draw_axis),
    "log_softmax": Operator(partial(_along_axis, torch.log_softmax), draw=_draw_axis),
}
