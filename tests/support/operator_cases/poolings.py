"""Max and average pooling, adaptive ones too."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from tests.support.operator_cases.case import OperatorCase, Shape


def _pooling(
    name: str, operator: Callable[..., Tensor], shape: Shape, *positional: object, **arguments: object
) -> OperatorCase:
    def function(x: Tensor) -> Tensor:
        return operator(x, *positional, **arguments)

    return OperatorCase(name, function, (shape,), family="pooling")


MAX_POOLINGS = (
    _pooling("max_pool2d k2", F.max_pool2d, (3, 8, 6), 2),
    _pooling("max_pool2d k2, odd size", F.max_pool2d, (3, 9, 7), 2),
    _pooling("max_pool2d k3 s2 p1", F.max_pool2d, (3, 8, 12), 3, 2, 1),
    _pooling("max_pool2d k3 s2 p1, odd size", F.max_pool2d, (3, 9, 11), 3, 2, 1),
    _pooling("max_pool2d k3 s2", F.max_pool2d, (3, 9, 8), 3, 2),
    _pooling("max_pool2d k3 s2, ceil", F.max_pool2d, (3, 8, 10), 3, 2, ceil_mode=True),
    _pooling("max_pool2d k3 s1 p1", F.max_pool2d, (3, 6, 7), 3, 1, 1),
    _pooling("max_pool2d k3", F.max_pool2d, (3, 9, 9), 3),
    _pooling("max_pool2d k5 s3 p2", F.max_pool2d, (3, 11, 13), 5, 3, 2),
    _pooling("max_pool2d k2 s3, gaps", F.max_pool2d, (3, 11, 9), 2, 3),
    _pooling("max_pool2d k3 s2 p1 d2", F.max_pool2d, (3, 11, 9), 3, 2, 1, 2),
    _pooling("max_pool2d k2x3 s1x2 p0x1 d2x1", F.max_pool2d, (3, 7, 9), (2, 3), (1, 2), (0, 1), (2, 1)),
    _pooling("max_pool2d k3 s2 p1, ceil", F.max_pool2d, (3, 8, 9), 3, 2, 1, ceil_mode=True),
    _pooling("max_pool2d k2 s3, ceil, a window left out", F.max_pool2d, (3, 6, 9), 2, 3, ceil_mode=True),
    _pooling("max_pool2d k2 s3, ceil, left out and cut short", F.max_pool2d, (3, 6, 7), 2, 3, ceil_mode=True),
    _pooling(
        "max_pool3d k1 s2 d2, ceil, left out", F.max_pool3d, (2, 4, 5, 4), (1, 3, 3), 2, (0, 1, 1), (2, 1, 1), True
    ),
    _pooling(
        "max_pool2d k5x3 p2x1 d2x1, taps in the padding alone", F.max_pool2d, (3, 5, 6), (5, 3), 1, (2, 1), (2, 1)
    ),
    _pooling("max_pool2d k13 s1 p6", F.max_pool2d, (2, 13, 13), 13, 1, 6),
    _pooling("max_pool1d k3 s2 p1", F.max_pool1d, (3, 11), 3, 2, 1),
    _pooling("max_pool3d k2", F.max_pool3d, (2, 4, 6, 5), 2),
    _pooling("max_pool3d k3 s2 p1", F.max_pool3d, (2, 5, 6, 7), 3, 2, 1),
    _pooling("max_pool3d k1x3x3 s1x2x2 p0x1x1", F.max_pool3d, (2, 3, 6, 6), (1, 3, 3), (1, 2, 2), (0, 1, 1)),
    _pooling("adaptive_max_pool2d 1", F.adaptive_max_pool2d, (3, 5, 6), 1),
    _pooling("adaptive_max_pool2d, tiles", F.adaptive_max_pool2d, (3, 6, 8), (3, 2)),
    _pooling("adaptive_max_pool2d, unequal", F.adaptive_max_pool2d, (3, 7, 10), (3, 4)),
    _pooling("adaptive_max_pool2d, enlarges", F.adaptive_max_pool2d, (3, 3, 8), (5, 4)),
    _pooling("adaptive_max_pool1d, unequal", F.adaptive_max_pool1d, (3, 10), 4),
    _pooling("adaptive_max_pool3d, unequal", F.adaptive_max_pool3d, (2, 4, 5, 6), (2, 3, 4)),
    _pooling("max over space", lambda x: x.flatten(2).amax(2), (3, 4, 5)),
)

AVERAGE_POOLINGS = (
    _pooling("avg_pool2d k2", F.avg_pool2d, (3, 8, 6), 2),
    _pooling("avg_pool2d k2, odd size", F.avg_pool2d, (3, 9, 7), 2),
    _pooling("avg_pool2d k2, ceil", F.avg_pool2d, (3, 9, 7), 2, ceil_mode=True),
    _pooling("avg_pool2d k3 s1 p1", F.avg_pool2d, (3, 6, 7), 3, 1, 1),
    _pooling("avg_pool2d k3 s2 p1, ceil", F.avg_pool2d, (3, 8, 9), 3, 2, 1, ceil_mode=True),
    _pooling("avg_pool2d k3 s2 p1, pads not counted", F.avg_pool2d, (3, 8, 9), 3, 2, 1, True, False),
    _pooling("avg_pool2d, divisor", F.avg_pool2d, (3, 8, 9), 3, 2, 1, False, True, 5),
    _pooling("avg_pool2d k2, divisor", F.avg_pool2d, (3, 8, 6), 2, divisor_override=3),
    _pooling("avg_pool2d k3, ceil and divisor", F.avg_pool2d, (3, 8, 9), 3, 2, 1, True, False, 5),
    _pooling("avg_pool2d k2 s3, ceil and divisor", F.avg_pool2d, (3, 8, 7), 2, 3, 0, True, True, 3),
    _pooling("avg_pool2d k2 s3, ceil, a window left out", F.avg_pool2d, (3, 6, 9), 2, 3, ceil_mode=True),
    _pooling("avg_pool2d k2 s3, ceil, left out and cut short", F.avg_pool2d, (3, 6, 7), 2, 3, ceil_mode=True),
    _pooling("avg_pool3d, ceil, left out, pads not counted", F.avg_pool3d, (2, 4, 5, 7), 2, 3, (0, 1, 1), True, False),
    _pooling("avg_pool2d k2x3 s2x1", F.avg_pool2d, (3, 8, 6), (2, 3), (2, 1)),
    _pooling("avg_pool2d, global", F.avg_pool2d, (3, 7, 7), 7),
    _pooling("avg_pool1d k2", F.avg_pool1d, (3, 8), 2),
    _pooling("avg_pool1d k3 s2 p1", F.avg_pool1d, (3, 9), 3, 2, 1),
    _pooling("avg_pool3d k2", F.avg_pool3d, (2, 4, 6, 5), 2),
    _pooling("avg_pool3d k3 s2 p1, pads not counted", F.avg_pool3d, (2, 5, 6, 7), 3, 2, 1, True, False),
    _pooling("adaptive_avg_pool2d 1", F.adaptive_avg_pool2d, (3, 5, 6), 1),
    _pooling("adaptive_avg_pool2d, tiles", F.adaptive_avg_pool2d, (3, 6, 8), (3, 2)),
    _pooling("adaptive_avg_pool2d, unequal", F.adaptive_avg_pool2d, (3, 7, 10), (3, 4)),
    _pooling("adaptive_avg_pool2d, enlarges", F.adaptive_avg_pool2d, (3, 3, 8), (7, 4)),
    _pooling("adaptive_avg_pool1d, unequal", F.adaptive_avg_pool1d, (3, 10), 4),
    _pooling("adaptive_avg_pool3d, unequal", F.adaptive_avg_pool3d, (2, 4, 5, 6), (2, 3, 4)),
    _pooling("mean over space", lambda x: x.mean((2, 3)), (3, 4, 5)),
    _pooling("lp_pool2d", lambda x: F.lp_pool2d(x, 2.0, 2), (3, 4, 6)),
)
