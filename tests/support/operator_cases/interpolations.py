"""Interpolation."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from tests.support.operator_cases.case import OperatorCase, Shape


def _interpolation(mode: str, shape: Shape, size: object = None, **arguments: object) -> OperatorCase:
    def function(x: Tensor) -> Tensor:
        return F.interpolate(x, size, mode=mode, **arguments)

    settings = "".join(f", {key} {value}" for key, value in arguments.items())
    name = f"interpolate {mode} {'×'.join(map(str, shape[1:]))} to {size or ''}{settings}"
    return OperatorCase(name, function, (shape,), family="interpolation")


INTERPOLATIONS = (
    _interpolation("nearest", (2, 5), 8),
    _interpolation("nearest", (2, 4, 5), scale_factor=2),
    _interpolation("nearest", (2, 4, 5), (12, 10)),
    _interpolation("nearest", (2, 4, 5), (7, 3)),
    _interpolation("nearest", (2, 4, 5), scale_factor=1.7),
    _interpolation("nearest", (2, 3, 4, 5), scale_factor=2),
    _interpolation("nearest-exact", (2, 5), 8),
    _interpolation("nearest-exact", (2, 4, 5), (7, 3)),
    _interpolation("nearest-exact", (2, 4, 5), scale_factor=3),
    _interpolation("nearest-exact", (2, 3, 4, 5), (4, 4, 9)),
    _interpolation("linear", (2, 5), 8),
    _interpolation("linear", (2, 5), 8, align_corners=True),
    _interpolation("bilinear", (2, 4, 5), scale_factor=2),
    _interpolation("bilinear", (2, 4, 5), (9, 7), align_corners=True),
    _interpolation("bilinear", (2, 8, 9), (3, 4)),
    _interpolation("bilinear", (2, 4, 5), scale_factor=1.7),
    _interpolation("bilinear", (2, 8, 9), (3, 4), antialias=True),
    _interpolation("bilinear", (2, 4, 5), scale_factor=1.7, antialias=True),
    _interpolation("area", (2, 9), 4),
    _interpolation("area", (2, 7, 9), (3, 4)),
    _interpolation("area", (2, 4, 5), scale_factor=2),
    _interpolation("bicubic", (2, 4, 5), scale_factor=2),
    _interpolation("bicubic", (2, 4, 5), (9, 7), align_corners=True),
    _interpolation("bicubic", (2, 8, 9), (3, 4), antialias=True),
    _interpolation("bicubic", (2, 8, 9), scale_factor=0.6, antialias=True),
    _interpolation("trilinear", (2, 3, 4, 5), (5, 6, 7)),
    _interpolation("trilinear", (2, 3, 4, 5), scale_factor=2, align_corners=True),
)
